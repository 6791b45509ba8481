"""Queries that the application sends meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event


@contextmanager
def counted_queries() -> Iterator[list[str]]:
    """Give the statements that any engine runs meanwhile."""
    statements: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    with listened_to(Engine, "before_cursor_execute", note):
        yield statements


@contextmanager
def listened_to(target: object, name: str, listener: Callable[..., None]) -> Iterator[None]:
    """Have a listener called by an event of SQLAlchemy's meanwhile."""
    event.listen(target, name, listener)
    try:
        yield
    finally:
        event.remove(target, name, listener)
