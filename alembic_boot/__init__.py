"""Bring a database to the newest revision of an Alembic project, then serve an ASGI app.

wait → inspect → decide → apply → verify → seed → serve. Knows PostgreSQL and Alembic; knows
nothing of the application, which it is told about in a `BootDescription`.
"""
