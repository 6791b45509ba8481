"""The session of one client, as any other session of its server can tell it from the rest: also
behind a pooler, which lends its backend to somebody else a moment later.

In a transaction it holds an advisory lock of a key that nobody else has; what it executes outside
of any begins with a mark. What of a process is somebody else's has neither.
"""

from alembic_boot.postgres.advisory import AdvisoryKey

_MARK = "/* boot {key:016x} */ "


def marked(key: AdvisoryKey, statement: str) -> str:
    """Return a statement by which, while it runs, its session can be told."""
    return _mark(key) + statement


def sessions_query(key: AdvisoryKey) -> str:
    """Return SQL, free of parameters, for the server processes that work with this key now.

    Among them are those that only could: a connection of a client's own holds the key as long as
    it lives. Whose statements the asking role may not see is found by the lock alone.
    """
    return f"""
        {key.holder_query}
        UNION
        SELECT pid FROM pg_stat_activity
        WHERE state = 'active' AND datname = current_database() AND pid <> pg_backend_pid()
          AND starts_with(query, '{_mark(key)}')
    """  # noqa: S608


def _mark(key: AdvisoryKey) -> str:
    return _MARK.format(key=key.number & 0xFFFFFFFFFFFFFFFF)
