"""Somebody's Alembic environment: opened, read, and its env.py run."""
