"""Keep an env.py from changing the database when a command promises to change nothing."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from alembic_boot.environment.listening import listening
from alembic_boot.errors import ConfigurationError
from alembic_boot.own_work import own_work

CHANGES_NOTHING = "changes_nothing"
"""The attribute of Alembic's configuration by which an env.py knows that it is only looked at."""

_HAS_CHANGED = "SELECT txid_current_if_assigned() IS NOT NULL"
"""PostgreSQL gives a transaction its number when it changes something."""


@contextmanager
def refusing_changes(env_py: str) -> Iterator[None]:
    """Raise ConfigurationError instead of a commit that would change something that lasts.

    An application beside env.py may commit. What env.py commits by other means than SQLAlchemy's
    transactions is not noticed.
    """
    refused: list[ConfigurationError] = []
    ran: defaultdict[Connection, list[str]] = defaultdict(list)
    is_ours = own_work()

    def beginning(connection: Connection) -> None:
        ran.pop(connection, None)

    def executing(connection: Connection, _cursor: object, text: str, *_more: object) -> None:
        if is_ours():
            ran[connection].append(text)

    def committing(connection: Connection) -> None:
        if not is_ours():
            return
        texts = ran.pop(connection, [])
        try:
            has_changed = connection.exec_driver_sql(_HAS_CHANGED).scalar()
        except DBAPIError:  # the transaction has failed: a commit rolls it back
            return
        if has_changed and not _leave_nothing(texts):
            refused.append(_refusal(env_py))
            raise refused[0]

    try:
        with listening(Engine, begin=beginning, before_cursor_execute=executing, commit=committing):
            yield
    finally:
        for error in refused:  # even if env.py goes on after it
            raise error


def _leave_nothing(texts: list[str]) -> bool:
    # Only here: the parser takes 60 ms to import, and an env.py seldom changes anything.
    from alembic_boot.sql.statement import leaves_nothing

    return bool(texts) and all(map(leaves_nothing, texts))


def _refusal(env_py: str) -> ConfigurationError:
    return ConfigurationError(
        f"{env_py} changes the database itself, which this command promises not to do.",
        "Let it do so only if context.config.attributes has no "
        f'"{CHANGES_NOTHING}"; or leave it to a revision. Nothing was changed.',
    )
