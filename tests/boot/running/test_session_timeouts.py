"""Which timeout has ended a statement or a session: concluded from the time that has passed."""

import pytest

from alembic_boot.running.session_timeouts import Limit, Passed, ended_by

STATEMENT = Limit("statement_timeout", "session", 1000)
TRANSACTION = Limit("transaction_timeout", "session", 5000)
IN_TRANSACTION = Limit("idle_in_transaction_session_timeout", "session", 2000)
IDLE = Limit("idle_session_timeout", "client", 3000)
ALL = [STATEMENT, TRANSACTION, IN_TRANSACTION, IDLE]


@pytest.mark.parametrize(
    ("state", "is_lost", "passed", "limits", "expected"),
    [
        # a statement
        ("57014", False, Passed(1.1, 0, 2), ALL, STATEMENT),
        ("57014", False, Passed(0.4, 0, 2), ALL, None),  # somebody cancelled it
        ("57014", False, Passed(9, 0, 9), [], None),
        ("42P01", False, Passed(9, 9, 9), ALL, None),
        # a session, where the driver tells why
        ("25P03", True, Passed(0, 2.1, 3), ALL, IN_TRANSACTION),
        ("25P04", True, Passed(0, 4, 6), ALL, TRANSACTION),
        ("57P05", True, Passed(0, 3.1, 0), ALL, IDLE),
        ("57P01", True, Passed(0, 9, 9), ALL, None),  # a shutdown
        ("57P02", True, Passed(0, 9, 9), ALL, None),
        # and where it does not
        (None, True, Passed(0, 2.1, 3), ALL, IN_TRANSACTION),
        ("08003", True, Passed(0, 2.1, 3), ALL, IN_TRANSACTION),
        (None, True, Passed(4, 0, 5.5), ALL, TRANSACTION),
        (None, True, Passed(0, 3.1, 0), ALL, IDLE),
        (None, True, Passed(0, 2.1, 0), ALL, None),  # idle, and in no transaction
        (None, True, Passed(0, 1, 2), ALL, None),
        (None, True, Passed(1.5, 0, 2), ALL, None),  # a statement's limit ends no session
        (None, True, Passed(9, 9, 9), [], None),
        (None, False, Passed(9, 9, 9), ALL, None),
    ],
)
def test_what_ended_it(
    state: str | None, is_lost: bool, passed: Passed, limits: list[Limit], expected: Limit | None
) -> None:
    """The one whose time was over, if the server does not say something else."""
    assert ended_by(state, is_lost, passed, limits) == expected


def test_what_is_said() -> None:
    """Its name, its value, what it ended, and who sets it."""
    assert str(IDLE) == (
        "idle_session_timeout (3 s) ended the session. "
        "The URL or PGOPTIONS sets it: leave it out there, or set it higher."
    )
    assert str(Limit("statement_timeout", "session", 250)) == (
        "statement_timeout (250 ms) ended the statement. "
        "A revision or env.py sets it: set it higher there, or leave it out."
    )
