"""Tests: `boot` mirrors `alembic_boot/`, the others `backend/`; `scenarios` runs processes."""
