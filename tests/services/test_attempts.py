"""How attempts are limited, by a clock of the test's own: no test waits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import DateTime, func, literal, select
from sqlalchemy.orm import Session

from backend.models import Attempt
from backend.services import attempts
from backend.services.attempts import (
    KNOWN_FOR,
    OF_ACCOUNT_HERE,
    OF_REGISTERING,
    Attempts,
)
from backend.services.errors import TooManyAttemptsError
from tests.cluster import Cluster
from tests.migrations.project import engine_for

pytestmark = pytest.mark.slow  # each test has a database of its own

MINA = "mina@example.org"

HOME = "192.0.2.1"
"""Where Mina signs in."""

STRANGER = "198.51.100.1"

MANY = 20
"""Free attempts for an account and for a network in these tests: the product allows 100."""


@dataclass
class Counter:
    """What counts attempts at a moment that a test chooses."""

    session: Session
    moment: datetime = field(default=datetime(2030, 1, 1, tzinfo=UTC))

    @property
    def attempts(self) -> Attempts:
        return Attempts("a secret", literal(self.moment, DateTime(timezone=True)))

    def wait(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    def guess(self, network: str = STRANGER, email: str = MINA) -> int:
        """Return how many seconds a guess has to wait; 0 if it was counted."""
        return self._waits(lambda: self.attempts.begin_sign_in(self.session, email, network))

    def sign_in(self, network: str = HOME, email: str = MINA) -> int:
        """Guess right."""

        def sign_in() -> None:
            guess = self.attempts.begin_sign_in(self.session, email, network)
            self.attempts.signed_in(self.session, guess)

        return self._waits(sign_in)

    def register(self, network: str = STRANGER) -> int:
        return self._waits(lambda: self.attempts.begin_registering(self.session, network))

    def rows(self) -> int:
        return self.session.scalar(select(func.count()).select_from(Attempt)) or 0

    def _waits(self, attempt: Callable[[], object]) -> int:
        try:
            attempt()
        except TooManyAttemptsError as refused:
            return refused.retry_after
        return 0


@pytest.fixture
def counter(
    cluster: Cluster, migrated_template: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Counter]:
    """Give a counter on an empty table, with fewer free attempts: the rules are the same."""
    for name in ("OF_ACCOUNT", "OF_NETWORK"):
        monkeypatch.setattr(attempts, name, replace(getattr(attempts, name), free=MANY))
    # One connection for all attempts: a login costs more than an attempt.
    with (
        cluster.database(migrated_template) as database,
        engine_for(cluster.url(database)).connect() as connection,
        Session(connection) as session,
    ):
        yield Counter(session)


def test_guesses_from_one_network_at_one_account(counter: Counter) -> None:
    """So many are free; then each is refused until its wait is over, and is not counted."""
    free = OF_ACCOUNT_HERE.free
    assert [counter.guess() for _ in range(free + 3)] == [0] * free + [8] * 3
    counter.wait(7)
    assert counter.guess() == 1
    counter.wait(1)
    assert counter.guess() == 0


def test_each_wait_is_longer(counter: Counter) -> None:
    """It doubles until as much is forgotten as is tried."""
    for _ in range(OF_ACCOUNT_HERE.free):
        counter.guess()
    waits = []
    for _ in range(12):
        waits.append(counter.guess())
        counter.wait(waits[-1])
        assert counter.guess() == 0
    assert waits[:4] == sorted(set(waits[:4]))
    assert waits[3] > 4 * waits[0]
    assert max(waits) <= 2 * OF_ACCOUNT_HERE.refill.total_seconds()


def test_guesses_are_forgotten(counter: Counter) -> None:
    for _ in range(OF_ACCOUNT_HERE.free):
        counter.guess()
    counter.wait(OF_ACCOUNT_HERE.free * OF_ACCOUNT_HERE.refill.total_seconds())
    free = OF_ACCOUNT_HERE.free
    assert [counter.guess() for _ in range(free + 1)] == [0] * free + [8]


def test_others_are_not_held_up(counter: Counter) -> None:
    """Neither the owner somewhere else, nor the stranger's neighbours at their own accounts."""
    for _ in range(OF_ACCOUNT_HERE.free + 1):
        counter.guess()
    assert counter.guess() > 0
    assert counter.sign_in() == 0
    assert counter.guess(email="juno@example.org") == 0


def test_an_account_is_guarded_against_many_networks(counter: Counter) -> None:
    """And its owner signs in all the same, from where that has been done before."""
    assert counter.sign_in() == 0
    for number in range(MANY):
        assert counter.guess(f"203.0.113.{number}") == 0
    assert counter.guess("203.0.113.200") > 0
    assert counter.sign_in() == 0
    counter.wait(KNOWN_FOR.total_seconds() - 1)
    for number in range(MANY):
        counter.guess(f"203.0.113.{number}")
    assert (counter.guess("203.0.113.200") > 0, counter.sign_in()) == (True, 0)


def test_a_network_is_known_for_some_time(counter: Counter) -> None:
    counter.sign_in()
    counter.wait(KNOWN_FOR.total_seconds() + 1)
    for number in range(MANY):
        counter.guess(f"203.0.113.{number}")
    assert counter.sign_in() > 0


def test_a_network_is_limited_over_all_accounts(counter: Counter) -> None:
    people = [f"{number}@example.org" for number in range(MANY + 1)]
    waits = [counter.guess(email=person) for person in people]
    assert waits == [0] * MANY + [2]


def test_a_right_password_takes_its_guess_back(counter: Counter) -> None:
    """So that many can sign in from one network; wrong ones of before are forgotten."""
    for _ in range(OF_ACCOUNT_HERE.free - 1):
        counter.guess(HOME)
    assert [counter.sign_in() for _ in range(MANY + 10)] == [0] * (MANY + 10)
    assert [counter.guess(HOME) for _ in range(OF_ACCOUNT_HERE.free)] == [0] * OF_ACCOUNT_HERE.free


def test_an_own_account_gives_no_guesses_back(counter: Counter) -> None:
    """A stranger who signs in between guesses at others is limited as before."""
    waits = []
    for number in range(MANY + 1):
        waits.append(counter.guess(email=f"{number}@example.org"))
        counter.sign_in(STRANGER, "stranger@example.org")
    assert waits[-1] > 0


def test_an_owner_at_a_known_network_makes_no_room_for_strangers(counter: Counter) -> None:
    """The guess was not counted for the account, so nothing of it is taken back either."""
    waits = []
    counter.sign_in()
    for number in range(MANY + 1):
        waits.append(counter.guess(f"203.0.113.{number}"))
        counter.sign_in()
    assert waits == [0] * MANY + [4]


def test_registering(counter: Counter) -> None:
    free = OF_REGISTERING.free
    assert [counter.register() for _ in range(free + 1)] == [0] * free + [8]
    assert counter.register(HOME) == 0
    assert counter.guess() == 0


def test_what_is_forgotten_is_deleted(counter: Counter) -> None:
    """More of it than is added, so that the table stays as small as what counts."""
    for number in range(30):
        counter.guess(f"203.0.113.{number}", f"{number}@example.org")
    assert counter.rows() == 90
    counter.wait(3600)
    for _ in range(9):
        counter.guess()
    assert counter.rows() == 3


def test_the_table_names_nobody(counter: Counter) -> None:
    """A digest, which the secret is needed for; it is another one with another secret."""
    counter.sign_in()
    keys = set(counter.session.scalars(select(Attempt.key)))
    assert {len(key) for key in keys} == {16}
    other = Attempts("another secret", literal(counter.moment, DateTime(timezone=True)))
    other.begin_sign_in(counter.session, MINA, HOME)
    assert len(set(counter.session.scalars(select(Attempt.key))) - keys) == 3
    assert "secret" not in repr(other)


def test_without_limits_nothing_is_counted(counter: Counter) -> None:
    nothing = Attempts(None)
    for _ in range(2 * OF_ACCOUNT_HERE.free):
        nothing.begin_sign_in(counter.session, MINA, HOME)
        nothing.begin_registering(counter.session, HOME)
    nothing.signed_in(counter.session, nothing.begin_sign_in(counter.session, MINA, HOME))
    assert counter.rows() == 0
