"""Bring a database to the newest revision of an Alembic project, then serve an ASGI app.

wait → inspect → decide → apply → verify → seed → serve. The package knows PostgreSQL and Alembic; a
`BootDescription` describes the application.
"""
