"""MoriAI's backend: the storybook service, the first user of alembic_boot."""

__version__ = "0.1.0"
