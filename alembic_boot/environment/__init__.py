"""An Alembic environment: open it, read it, and run its env.py."""
