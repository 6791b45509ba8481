"""PostgreSQL's code for an error, for every driver."""


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of an error, or of the error that SQLAlchemy wraps; else None.

    psycopg2 calls it pgcode, psycopg and asyncpg sqlstate.
    """
    raised = getattr(error, "orig", None) or error
    state = getattr(raised, "sqlstate", None) or getattr(raised, "pgcode", None)
    return None if state is None else str(state)
