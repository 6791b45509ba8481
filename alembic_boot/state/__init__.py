"""Where the database stands, by its version table, its tables and its journal."""
