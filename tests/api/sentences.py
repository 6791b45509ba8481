"""Sentences of answers."""

SCHEMA_NOT_READY = "The database schema does not fit this release: see /health/ready, and the log."


DATABASE_AWAY = "The database does not answer: see /health/ready."
