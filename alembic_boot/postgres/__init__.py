"""Connections to PostgreSQL: its address, waiting for it, and an embedded server for laptops."""
