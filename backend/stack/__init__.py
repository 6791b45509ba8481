"""Containers, through the Docker SDK and the Compose file; without any knowledge of Alembic."""
