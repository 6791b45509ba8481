"""The login that env.py has tried last: it need not be the one that it was given."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psycopg2 import ProgrammingError
from psycopg2.extensions import parse_dsn
from sqlalchemy import Engine, event

from alembic_boot.postgres.options import DRIVERS

_LIBPQ = DRIVERS["psycopg2"]

_attempts: list[tuple[Any, dict[str, Any]]] = []
"""One env.py runs at a time in a process."""


@contextmanager
def noting_attempts() -> Iterator[None]:
    """Note each login that SQLAlchemy tries meanwhile."""

    def note(_dialect: Any, _record: Any, arguments: Any, parameters: dict[str, Any]) -> None:
        _attempts[:] = [(arguments, parameters)]

    _attempts.clear()
    event.listen(Engine, "do_connect", note)
    try:
        yield
    finally:
        event.remove(Engine, "do_connect", note)


def last_attempt() -> Mapping[str, str] | None:
    """Return libpq's keywords of the last login that was tried; None if that is not known."""
    if not _attempts:
        return None
    [(arguments, parameters)] = _attempts
    try:
        login = parse_dsn(arguments[0]) if arguments else {}
        # A driver's own options are no part of the login.
        texts = {name: str(it) for name, it in parameters.items() if isinstance(it, str | int)}
        return login | {name: it for name, it in texts.items() if _LIBPQ.knows(name)}
    except (ProgrammingError, TypeError):
        return None
