"""Limits of password guesses: some at once, then one after a wait that doubles.

Attempts are counted in the database, for all replicas together. The rows have digests as keys: the
table contains no e-mail address and no IP address.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b, sha256
from typing import Any

from sqlalchemy import ColumnElement, case, delete, extract, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from backend.models import Attempt
from backend.services.errors import TooManyAttemptsError


@dataclass(frozen=True)
class Limit:
    """The limit: `free` attempts at once, and one more for each `refill` that passes.

    After the last free attempt the wait is an eighth of `refill`. Each further attempt doubles the
    wait, up to about `refill`; at that rate old attempts expire as fast as new ones come.
    """

    free: int
    refill: timedelta


OF_ACCOUNT_HERE = Limit(10, timedelta(minutes=1))
"""Limit for one network at one account: the owner without the password, or a stranger."""

OF_ACCOUNT = Limit(100, timedelta(seconds=30))
"""Limit for one account, from all networks where its owner has not signed in lately."""

OF_NETWORK = Limit(100, timedelta(seconds=10))
"""Limit for one network, over all accounts: a school has many people in one network."""

OF_REGISTERING = Limit(20, timedelta(minutes=1))
"""Limit of registrations for one network."""

KNOWN_FOR = timedelta(days=30)
"""Time for which a network stays known after a sign-in from there."""

_SWEPT = 20
"""Number of expired rows that one attempt deletes at most."""

# Not the start of the transaction: the transaction that it waited for may have started later.
_NOW: ColumnElement[Any] = func.clock_timestamp()


@dataclass(frozen=True)
class _Keys:
    account_here: bytes
    account: bytes
    network: bytes
    known: bytes


@dataclass(frozen=True)
class Guess:
    """A counted guess: its keys, and the keys that a right guess is removed from."""

    keys: _Keys
    taken_back: tuple[tuple[bytes, Limit], ...]


@dataclass(frozen=True)
class Attempts:
    """Counts attempts. All replicas share `secret`; with None nothing is counted."""

    secret: str | None = field(repr=False)
    now: ColumnElement[Any] = _NOW

    def begin_sign_in(self, session: Session, email: str, network: str) -> Guess | None:
        """Count a guess at the password of `email`, and commit; return None if nothing is counted.

        Raises TooManyAttemptsError if the caller has to wait; then the guess is not counted.
        """
        if self.secret is None:
            return None
        keys = self._keys(email, network)
        known = select(Attempt.key).where(
            Attempt.key == keys.known, Attempt.forgotten_at > self.now
        )
        is_known = session.execute(known).one_or_none() is not None
        of_account = () if is_known else ((keys.account, OF_ACCOUNT),)
        others = (*of_account, (keys.network, OF_NETWORK))
        self._count(session, [(keys.account_here, OF_ACCOUNT_HERE), *others])
        return Guess(keys, others)

    def signed_in(self, session: Session, guess: Guess | None) -> None:
        """Remove a guess that was right, and commit. The network is known from now on."""
        if guess is None:
            return
        session.execute(delete(Attempt).where(Attempt.key == guess.keys.account_here))
        # Only a guess that was counted is removed; otherwise a sign-in would allow a stranger more
        # guesses.
        for key, limit in guess.taken_back:
            session.execute(
                update(Attempt)
                .where(Attempt.key == key)
                .values(forgotten_at=Attempt.forgotten_at - limit.refill)
            )
        known = {"next_at": self.now, "forgotten_at": self.now + KNOWN_FOR}
        session.execute(
            insert(Attempt)
            .values(key=guess.keys.known, **known)
            .on_conflict_do_update(index_elements=[Attempt.key], set_=known)
        )
        session.commit()

    def begin_registering(self, session: Session, network: str) -> None:
        """Count a registration, and commit. Raises TooManyAttemptsError."""
        if self.secret is not None:
            self._count(session, [(self._digest("registering", network), OF_REGISTERING)])

    def _count(self, session: Session, limits: Sequence[tuple[bytes, Limit]]) -> None:
        """Count an attempt for all keys or for none; raise TooManyAttemptsError.

        All transactions lock the keys in the same order of kinds, so there are no deadlocks.
        """
        # Most attempts above the limit are refused here, without waiting for a lock.
        self._require_no_wait(session, [key for key, _ in limits])
        for key, limit in limits:
            if session.execute(self._counting(key, limit)).one_or_none() is None:
                session.rollback()
                self._require_no_wait(session, [key])
                raise _refusal(1)  # the wait ended just now, and another attempt was first
        self._sweep(session)
        session.commit()

    def _require_no_wait(self, session: Session, keys: Sequence[bytes]) -> None:
        left = extract("epoch", func.max(Attempt.next_at) - self.now)
        seconds = session.scalar(select(left).where(Attempt.key.in_(keys)))
        if seconds is not None and seconds > 0:
            session.rollback()
            raise _refusal(math.ceil(seconds))

    def _counting(self, key: bytes, limit: Limit) -> Any:
        """Return the statement that counts an attempt, and returns no row if it came too early."""
        forgotten = func.greatest(Attempt.forgotten_at, self.now) + limit.refill
        level = extract("epoch", forgotten - self.now) / limit.refill.total_seconds()
        return (
            insert(Attempt)
            .values(key=key, next_at=self.now, forgotten_at=self.now + limit.refill)
            .on_conflict_do_update(
                index_elements=[Attempt.key],
                set_={"next_at": self.now + _wait(level, limit), "forgotten_at": forgotten},
                where=Attempt.next_at <= self.now,
            )
            .returning(Attempt.key)
        )

    def _sweep(self, session: Session) -> None:
        """Delete some expired rows: more than one attempt can add."""
        old = (
            select(Attempt.key)
            .where(Attempt.forgotten_at < self.now)
            .order_by(Attempt.forgotten_at)
            .limit(_SWEPT)
            .with_for_update(skip_locked=True)
        )
        session.execute(delete(Attempt).where(Attempt.key.in_(old.scalar_subquery())))

    def _keys(self, email: str, network: str) -> _Keys:
        return _Keys(
            account_here=self._digest("account here", email, network),
            account=self._digest("account", email),
            network=self._digest("network", network),
            known=self._digest("known", email, network),
        )

    def _digest(self, *parts: str) -> bytes:
        key = sha256(b"moriai attempts\0" + (self.secret or "").encode()).digest()
        return blake2b("\0".join(parts).encode(), digest_size=16, key=key).digest()


def _wait(level: ColumnElement[Any], limit: Limit) -> ColumnElement[Any]:
    """Return the wait before the next attempt: zero, or twice as long each time."""
    beyond = level - limit.free
    first = limit.refill.total_seconds() / 8
    # Minus half an attempt, because each counted attempt expires a little at once.
    seconds = case((beyond < -0.5, 0), else_=first * func.power(2, beyond))
    return func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def _refusal(seconds: int) -> TooManyAttemptsError:
    return TooManyAttemptsError(
        "There were too many attempts. Wait a little, then try again.", seconds
    )
