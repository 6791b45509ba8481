"""Reaching PostgreSQL: where it is, whether it is there, and one of our own for laptops."""
