"""Containers through the Docker SDK: reads the Compose file, and knows nothing of Alembic."""
