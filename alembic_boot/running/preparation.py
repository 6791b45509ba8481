"""Checks before the first revision: the journal can be written, and other sessions can see it."""

from collections.abc import Mapping, Sequence
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import event

from alembic_boot.environment.session import MigrationSession, led_astray
from alembic_boot.errors import ConfigurationError, MigrationFailedError
from alembic_boot.history.history import History
from alembic_boot.history.source import commits_itself, has_autocommit_block
from alembic_boot.polling import poll
from alembic_boot.running.recorder import Recorder
from alembic_boot.running.steps import Moves
from alembic_boot.sql.writing import literal, quoted
from alembic_boot.state.access import why_not_writable
from alembic_boot.state.journal import Direction
from alembic_boot.state.unrecordable import unrecordable

# A row is updated or inserted. A branch may need more rights; their lack shows at that step.
_WRITABLE = """
SELECT current_setting('transaction_read_only') = 'on',
       pg_relation_is_updatable(to_regclass({version_table}), true) & 12 = 12,
       has_table_privilege(
           to_regclass({version_table}),
           CASE WHEN EXISTS (SELECT FROM {rows}) THEN 'UPDATE' ELSE 'INSERT' END),
       has_table_privilege(to_regclass({journal}), 'INSERT')
       AND has_table_privilege(to_regclass({journal}), 'UPDATE'),
       current_user::text
"""

_BACKEND = "SELECT pg_backend_pid()"

_PATIENCE, _INTERVAL = 1.0, 0.05
"""Seconds to wait until a pooler lends the same session again, and seconds between two tries."""

_WEIGHTY = ("lock_timeout", "role")
"""Settings that do harm if another client has set them."""


def refuse_snapshot(session: MigrationSession) -> None:
    """Raise MigrationFailedError where a transaction is open that cannot see the journal's rows."""
    if not session.is_one_unit:
        return
    [level] = session.ask("SHOW transaction_isolation")
    if level != "read committed":
        raise MigrationFailedError(
            f"Alembic's env.py opens a transaction itself, and that one is {level}.",
            "Let Alembic open it (context.begin_transaction()), or make it read committed. "
            "Nothing was changed.",
        )


def refuse_other_table(session: MigrationSession, recorder: Recorder) -> None:
    """Raise MigrationFailedError if another object has the name of the journal."""
    if session.ask(recorder.journal.shape_query)[0] is False:
        raise MigrationFailedError(
            f"{recorder.journal.table} has the name of the journal, but is another object.",
            "Rename it. Nothing was changed.",
        )


def refuse_unwritable(session: MigrationSession, recorder: Recorder) -> None:
    """Raise LoginRefusedError if row level security keeps either role from writing its tables."""
    journal = recorder.journal

    def ask(query: str) -> Any:
        [value] = session.ask(query)
        return value

    refusals = (
        why_not_writable(ask, str(journal.version_table)),
        why_not_writable(ask, journal.table),
        why_not_writable(recorder.ask, journal.table),
    )
    for refusal in filter(None, refusals):
        raise refusal


def make_journal(session: MigrationSession, recorder: Recorder) -> None:
    """Make the journal with the role that makes the tables, unless there is one.

    If env.py opened a transaction itself, boot's own role makes it: other sessions would not see
    it, or its rows, before that transaction ends.
    """
    session.refuse_astray(has_begun=not session.is_one_unit)
    if columns := carrying(session):
        session.ask(f"SELECT {', '.join(columns)}")
    journal = recorder.journal
    if session.ask(journal.shape_query)[0]:
        return
    current_role = "SELECT current_user::text"
    if session.is_one_unit:
        [role] = session.ask(current_role)
        recorder.connection.cursor().execute("; ".join(journal.create_statements(role)))
        return
    for statement in journal.create_statements(str(recorder.ask(current_role))):
        session.tell(statement)


def refuse_unrecordable(session: MigrationSession, recorder: Recorder) -> None:
    """Raise MigrationFailedError if env.py's session could not record that a revision has run.

    A revision that commits a part of itself would be known too late.
    """
    version_table, journal = recorder.journal.version_table, recorder.journal.table
    read_only, is_updatable, may_write, may_note, role = session.ask(
        _WRITABLE.format(
            version_table=literal(str(version_table)), rows=version_table, journal=literal(journal)
        )
    )
    if read_only:
        raise MigrationFailedError(
            "The database takes no writes from this session: transactions are read-only.",
            "Connect to the primary, or set default_transaction_read_only to off for the role and "
            "the database. Nothing was changed.",
        )
    if not is_updatable:
        raise MigrationFailedError(
            f"{version_table} cannot be written: it is no table.",
            "Rename it, or let env.py name another version_table. Nothing was changed.",
        )
    for may, table in ((may_write, version_table), (may_note, journal)):
        if not may:
            grant = f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {quoted(role)}"
            raise MigrationFailedError(
                f"The role {role} may not write {table}, where each revision is recorded.",
                f"Say `{grant}` as the table's owner, or set MIGRATION_DATABASE_URL to the "
                "schema's owner. Nothing was changed.",
            )


def refuse_ids(session: MigrationSession, recorder: Recorder, ids: Sequence[str]) -> None:
    """Raise HistoryBrokenError if the database has no room, or no characters, for revisions' ids.

    A plan is checked before it begins. `alembic upgrade` typed by hand is not, and a revision
    before this one may have changed the version table.
    """

    def ask(query: str) -> Any:
        row = session.ask(query)
        session.settle()
        return row

    if found := unrecordable(ask, ids, recorder.history, recorder.journal.version_table):
        raise found.refusal("It did not run.")


def leave_transaction(session: MigrationSession, before: Mapping[str, str]) -> None:
    """End the transaction that Alembic's look at its version table has begun.

    Its snapshot may be older than the journal's rows. The settings that end with it are those that
    env.py has made for it: each later transaction gets them again. Raises ConfigurationError if a
    pooler lends another session now, and the settings may be another client's.
    """
    backend = None if session.is_direct else session.ask(_BACKEND)
    session.connection.commit()
    after: dict[str, str] = {}

    def is_same_session() -> bool:
        after.clear()
        after.update(session.settings())
        is_same = session.is_direct or session.ask(_BACKEND) == backend
        session.settle()
        return is_same

    is_same = poll(is_same_session, _PATIENCE, _INTERVAL)
    session.carried = {name: value for name, value in before.items() if after.get(name) != value}
    in_doubt = [name for name in _WEIGHTY if name in session.carried]
    if in_doubt and not is_same:
        raise led_astray(" and ".join(in_doubt))


def carrying(session: MigrationSession) -> tuple[str, ...]:
    """Return SQL columns that repeat the SET LOCAL settings of env.py."""
    return tuple(
        f"set_config({literal(name)}, {literal(value)}, true)"
        for name, value in session.carried.items()
    )


def watch_borrowed_session(context: MigrationContext) -> None:
    """Check a pooler's session when env.py begins a transaction, before env.py runs a statement.

    The check raises ConfigurationError if another client has left a role or a search_path.
    """
    session = MigrationSession(context)
    if not session.is_direct:
        refuse = session.refuse_astray
        event.listen(session.connection, "begin", lambda _: refuse(has_begun=True), once=True)
    session.settle()


def refuse_autocommit_blocks(session: MigrationSession, history: History, moves: Moves) -> None:
    """Raise BootError if a revision needs an autocommit block that it cannot have.

    Through a pooler, nothing that such a block needs can be set. In a transaction that env.py has
    begun, Alembic itself refuses a block, unless the revision commits first.
    """
    if session.is_direct and not session.is_one_unit:
        return
    for revision, direction in moves:
        known = history.revisions.get(revision)
        source = known.source() if known and direction is not Direction.STAMP else None
        if source is None or not has_autocommit_block(source, direction):
            continue
        label = history.label(revision)
        if not session.is_direct:
            raise needs_direct(f"Migration {label} has an autocommit_block")
        if not commits_itself(source, direction):
            raise MigrationFailedError(
                f"Alembic's env.py opens a transaction itself, and {label} has an "
                "autocommit_block, which needs to be outside of any.",
                "Let Alembic open it (context.begin_transaction()): a statement before "
                "context.configure() opens one too, until connection.commit(). Nothing was "
                "changed.",
            )


def needs_direct(what: str) -> ConfigurationError:
    """Return the refusal of a revision that leaves its transaction, behind a pooler."""
    return ConfigurationError(
        f"{what}, and a pooler is between env.py and the server.",
        "Set MIGRATION_DATABASE_URL to the server itself, and start again.",
    )
