"""What happens, told to every process on the same database by PostgreSQL's NOTIFY."""
