"""Find out why a login failed, by repeating it and, behind a pooler, by asking other databases."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import psycopg2

from alembic_boot.postgres.answer import Answer, Refusal, meaning
from alembic_boot.postgres.connection import (
    ConnectTimeoutError,
    answer_to,
    connect_and_ask,
    one_line,
)
from alembic_boot.postgres.hosts import SESSION
from alembic_boot.postgres.options import can_begin
from alembic_boot.postgres.urls import DatabaseUrl

_ANYWHERE = ("postgres", "template1")
"""Databases that nearly every server has."""

_LEAST = 0.1
"""Seconds that each query has, even if the others have used up the time."""

_IS_THERE = "SELECT true FROM pg_database WHERE datname = '{}'"


@dataclass(frozen=True)
class FailedLogin:
    """The reason why a login failed."""

    refusal: Refusal
    cause: str
    """The cause in the words of the server, pooler or libpq, on one line."""
    by_pooler: bool = False
    """Whether a pooler refused the login, and not a server."""
    for_options: bool = False
    """Whether the settings of the login caused the refusal."""
    is_held_back: bool = False
    """Whether the login, tried again, got no answer: PgBouncer delays it by server_login_retry."""


def understand(url: DatabaseUrl, error: psycopg2.Error, timeout: float) -> FailedLogin:
    """Return why a login failed with this error; takes at most about `timeout` seconds.

    If the state has changed meanwhile, the next attempt shows it.
    """
    cause = one_line(error)
    if isinstance(error, ConnectTimeoutError):
        return FailedLogin(Refusal.NOT_YET, cause)
    deadline = time.monotonic() + timeout

    def left() -> float:
        return max(deadline - time.monotonic(), _LEAST)

    # With a code, the login was good, and the next query was refused. A repeated login may be
    # delayed, so there must be time left for the other queries.
    answer = Answer(error.pgcode, cause) if error.pgcode else answer_to(url, timeout / 2)
    if answer.is_late:
        refusal = Refusal.DATABASE_MISSING if _is_missing(url, left) else Refusal.NOT_YET
        return FailedLogin(refusal, cause, is_held_back=True)
    if answer == Answer() and not can_begin({}):  # by one of libpq's environment variables
        return FailedLogin(Refusal.LOGIN, cause)
    # libpq rejects a server also if it only is not the primary.
    if (
        answer.libpq_gave_up
        and SESSION in url.parameters
        and (answer_to(url.having(**{SESSION: "any"}), left()).is_good)
    ):
        return FailedLogin(Refusal.NOT_YET, cause)
    failed = FailedLogin(meaning(answer), answer.sentence or cause, by_pooler=answer.is_poolers)
    if failed.refusal is not Refusal.BY_POOLER:
        return failed
    if _is_for_options(url, left):
        return replace(failed, refusal=Refusal.LOGIN, for_options=True)
    # Otherwise it passes on the server's message, in that server's language and without its code.
    if _is_missing(url, left):
        return replace(failed, refusal=Refusal.DATABASE_MISSING, by_pooler=False)
    return replace(failed, refusal=Refusal.NOT_YET)


def _is_for_options(url: DatabaseUrl, left: Callable[[], float]) -> bool:
    """Return whether the login fails only because of its settings."""
    if not (url.parameters.get("options") or os.environ.get("PGOPTIONS")):
        return False
    is_good_without = answer_to(url.having(options=""), left()).is_good
    return is_good_without and meaning(answer_to(url, left())) is Refusal.BY_POOLER


def _is_missing(url: DatabaseUrl, left: Callable[[], float]) -> bool:
    """Return whether the same login works on another database, and this one does not exist."""
    query = _IS_THERE.format(url.database.replace("'", "''"))
    for name in _ANYWHERE:
        try:
            connection, rows = connect_and_ask(url.with_database(name), query, left())
        except psycopg2.Error:
            continue
        connection.close()
        return not rows
    return False
