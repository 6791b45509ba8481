"""SQL, as PostgreSQL's own parser reads it."""
