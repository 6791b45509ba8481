"""Deleting an account with much in it, and what others change meanwhile."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, insert, select, text, update
from sqlalchemy.orm import Session

from backend.events.event import Event
from backend.models import Audio, Book, User, Visibility, Voice
from backend.services.account_deletion import delete_account
from backend.services.changes import notify_locally
from backend.services.errors import ConflictError
from backend.services.tokens import Claim
from tests.cluster import Cluster
from tests.migrations.project import engine_for


@dataclass
class Leaver:
    """An account on a database of its own, and the events that its end sends."""

    engine: Engine
    id: UUID
    events: list[Event] = field(default_factory=list)

    def own(self, kind: type[Book | Voice | Audio], count: int, **values: object) -> list[UUID]:
        """Insert rows that are the account's; return their ids."""
        own = {Book: {"title": "A book"}, Voice: {"name": "A voice"}, Audio: {"file_url": "/1.mp3"}}
        rows = [{"user_id": self.id, **own[kind], **values} for _ in range(count)]
        if kind is Voice:
            rows = [{**row, "provider_voice_id": f"v{number}"} for number, row in enumerate(rows)]
        with self.engine.begin() as connection:
            return list(connection.scalars(insert(kind).values(rows).returning(kind.id)))

    def leave(self, statement_timeout: str = "8s") -> None:
        with Session(self.engine, info=dict(notify_locally(self.events.append))) as session:
            session.execute(select(func.set_config("statement_timeout", statement_timeout, True)))
            delete_account(session, Claim(self.id, 0))

    def rows(self) -> list[int]:
        """Return how many users, books, voices and audios there are."""
        with Session(self.engine) as session:
            return [
                session.scalar(select(func.count()).select_from(kind)) or 0
                for kind in (User, Book, Voice, Audio)
            ]


@pytest.fixture
def leaver(cluster: Cluster, migrated_template: str) -> Iterator[Leaver]:
    with cluster.database(migrated_template) as database:
        engine = engine_for(cluster.url(database))
        with engine.begin() as connection:
            added = insert(User).values(email="mina@example.org").returning(User.id)
            identifier = connection.scalars(added).one()
        yield Leaver(engine, identifier)


SLOW = """
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_sleep(0.01); RETURN OLD; END';
    CREATE TRIGGER slow BEFORE DELETE ON books FOR EACH ROW EXECUTE FUNCTION slow()
"""
"""Has each book take as long to be deleted as one with many parts."""


@pytest.mark.slow
def test_an_account_with_much_in_it_is_deleted(leaver: Leaver) -> None:
    """All together takes longer than a statement may; so no statement deletes it all."""
    leaver.own(Book, 150)
    leaver.own(Voice, 3)
    leaver.own(Audio, 3)
    with leaver.engine.begin() as connection:
        connection.execute(text(SLOW))
    leaver.leave(statement_timeout="1s")
    assert leaver.rows() == [0, 0, 0, 0]


@pytest.mark.parametrize("kind", [Book, Voice])
def test_what_is_public_is_told(leaver: Leaver, kind: type[Book | Voice]) -> None:
    """And nothing of what only its owner saw."""
    leaver.own(kind, 25)
    with leaver.engine.begin() as connection:
        some = select(kind.id).limit(12).scalar_subquery()
        published = update(kind).where(kind.id.in_(some)).values(visibility=Visibility.PUBLIC)
        public = set(connection.scalars(published.returning(kind.id)))
    leaver.leave()
    assert {it.id for it in leaver.events} == public
    assert {it.name for it in leaver.events} == {f"{kind.__name__.lower()}.deleted"}


def meanwhile(leaver: Leaver, change: Callable[[Session], object]) -> None:
    """Delete the account while a transaction is open that has changed something."""
    with ThreadPoolExecutor(1) as pool, Session(leaver.engine) as other:
        change(other)
        leaving = pool.submit(leaver.leave)
        deadline = monotonic() + 30
        while not (leaving.done() or is_somebody_blocked(leaver.engine)):
            assert monotonic() < deadline
        other.commit()
        leaving.result()


def is_somebody_blocked(engine: Engine) -> bool:
    waiting = text(
        "SELECT EXISTS (SELECT FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database())"
    )
    with engine.connect() as connection:
        return bool(connection.scalar(waiting))


def test_a_book_that_is_made_public_meanwhile_is_told(leaver: Leaver) -> None:
    [book] = leaver.own(Book, 1)
    meanwhile(leaver, lambda other: other.execute(update(Book).values(visibility="public")))
    assert [(it.id, it.is_shared) for it in leaver.events] == [(book, True)]
    assert leaver.rows() == [0, 0, 0, 0]


def test_a_book_that_everybody_gets_meanwhile_keeps_its_owner(leaver: Leaver) -> None:
    leaver.own(Book, 1)
    given = update(Book).values(visibility="default", is_default=True)
    with pytest.raises(ConflictError):
        meanwhile(leaver, lambda other: other.execute(given))
    assert leaver.rows() == [1, 1, 0, 0]
    assert leaver.events == []
