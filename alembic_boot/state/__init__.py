"""The state of the database, from its version table, its tables and its journal."""
