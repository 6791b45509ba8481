"""What must be so before the first revision runs: a journal that can be written and seen."""

from backend.boot.environment.session import MigrationSession
from backend.boot.environment.version_table import literal
from backend.boot.errors import MigrationFailedError
from backend.boot.exclusive.recorder import Recorder


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
    """Raise MigrationFailedError where the journal's name is something else's."""
    if session.ask(recorder.journal.shape_query)[0] is False:
        raise MigrationFailedError(
            f"{recorder.journal.table} is where the journal belongs, and it is something else.",
            "Rename it. Nothing was changed.",
        )


def make_journal(session: MigrationSession, recorder: Recorder) -> None:
    """Make the journal with the role that makes the tables, unless there is one.

    Where env.py opened a transaction itself, boot's own role makes it: nobody else would see it,
    or its rows, before that transaction ends.
    """
    journal = recorder.journal
    if session.ask(journal.shape_query)[0]:
        if not session.ask(journal.completeness_query)[0]:
            complete = journal.completing_statement
            recorder.execute(complete) if session.is_one_unit else session.tell(complete)
        return
    current_role = "SELECT current_user::text"
    if session.is_one_unit:
        [role] = session.ask(current_role)
        recorder.execute("; ".join(journal.create_statements(role)))
        return
    for statement in journal.create_statements(str(recorder.ask(current_role))):
        session.tell(statement)


def leave_transaction(session: MigrationSession) -> tuple[str, ...]:
    """End the transaction that Alembic's look at its version table has begun.

    Its snapshot may be older than the journal's rows. Returns, as SQL, what sets anew what env.py
    has set in it: that goes on to hold.
    """
    before = session.settings()
    session.connection.commit()
    after = session.settings()
    session.settle()
    return tuple(
        f"set_config({literal(name)}, {literal(value)}, true)"
        for name, value in before.items()
        if after.get(name) != value
    )
