"""Events: PostgreSQL's NOTIFY tells every process on the same database of changes."""
