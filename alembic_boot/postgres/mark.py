"""Identify our session among all sessions of the server, even behind a pooler.

A pooler lends its backend to another client a moment later. In a transaction our session holds an
advisory lock with a random key; outside of transactions each of its statements begins with a mark.
Sessions of other clients have neither.
"""

from alembic_boot.postgres.advisory import AdvisoryKey

_MARK = "/* boot {key:016x} */ "


def marked(key: AdvisoryKey, statement: str) -> str:
    """Return a statement that identifies its session while it runs."""
    return _mark(key) + statement


def sessions_query(key: AdvisoryKey) -> str:
    """Return SQL, without parameters, for the server processes that work with this key now.

    They include idle ones: a direct connection holds the key for its whole life. If the role may
    not see a session's statements, only the lock identifies it.
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
