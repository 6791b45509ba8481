"""What a migration may do to those who use the database meanwhile: ask briefly, and yield."""
