"""Exports: few at once, ended if they cannot be complete, and not read for HEAD."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from backend.api.exporting import AT_ONCE, ExportAnswer, Exports
from backend.api.head import IS_HEAD
from backend.api.threads import OverloadedError
from backend.models import User
from backend.services.account_deletion import delete_account
from backend.services.accounts import change_password, revoke_tokens
from backend.services.errors import BusyError
from backend.services.tokens import Claim
from tests.api.lock_waits import await_waiting
from tests.api.people import Person, sign_up

EXPORT = "/api/v1/auth/me/export"


@pytest.fixture(scope="module")
def person(service: httpx.Client) -> Person:
    return sign_up(service)


def test_few_exports_have_a_place() -> None:
    exports = Exports(at_once=2)
    one, another, third = uuid4(), uuid4(), uuid4()
    with (
        exports.place(one),
        exports.place(another),
        pytest.raises(OverloadedError),
        exports.place(third),
    ):
        pass
    with exports.place(third):
        pass


def test_an_account_has_one_place() -> None:
    exports = Exports(at_once=2)
    one, another = uuid4(), uuid4()
    with exports.place(one), pytest.raises(BusyError), exports.place(one):
        pass
    with exports.place(one), exports.place(another):
        pass


def test_more_exports_at_once_are_refused(
    service: httpx.Client, person: Person, kept_session: Session
) -> None:
    """HEAD takes no place, and has the same headers."""
    people = [person, *(sign_up(service) for _ in range(AT_ONCE))]
    kept_session.execute(text("LOCK TABLE books"))
    with ThreadPoolExecutor(AT_ONCE + 1) as pool:
        asked = [pool.submit(it.ask, "GET", EXPORT) for it in people]
        refused = next(as_completed(asked, timeout=30)).result()
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
        head = person.ask("HEAD", EXPORT)
        assert (head.status_code, head.headers["cache-control"]) == (200, "no-store")
        kept_session.rollback()
        statuses = sorted(it.result().status_code for it in asked)
    assert statuses == [200] * AT_ONCE + [503]
    assert person.ask("GET", EXPORT).status_code == 200


def test_an_account_leaves_places_to_others(
    service: httpx.Client, person: Person, kept_session: Session
) -> None:
    other = sign_up(service)
    kept_session.execute(text("LOCK TABLE books"))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        first = pool.submit(person.ask, "GET", EXPORT)
        await_waiting(kept_session, 1)
        second = person.ask("GET", EXPORT)
        theirs = pool.submit(other.ask, "GET", EXPORT)
        await_waiting(kept_session, 2)
        kept_session.rollback()
        assert (first.result().status_code, theirs.result().status_code) == (200, 200)
    assert (second.status_code, second.headers["retry-after"]) == (503, "10")


def _make_inactive(session: Session, claim: Claim) -> None:
    session.execute(update(User).where(User.id == claim.account).values(is_active=False))
    session.commit()


def _change_password(session: Session, claim: Claim) -> None:
    change_password(session, claim, "a hash")


@pytest.mark.parametrize("end", [delete_account, revoke_tokens, _change_password, _make_inactive])
def test_an_export_breaks_off_if_its_token_ends(
    service: httpx.Client,
    kept_session: Session,
    caplog: pytest.LogCaptureFixture,
    end: Callable[[Session, Claim], object],
) -> None:
    """An account that is deleted meanwhile gets no export that seems whole, and is not."""
    person = sign_up(service)
    person.make("books")
    kept_session.execute(text("LOCK TABLE books"))
    with ThreadPoolExecutor(1) as pool, caplog.at_level(logging.WARNING):
        asked = pool.submit(person.ask, "GET", EXPORT)
        await_waiting(kept_session, 1)
        end(kept_session, Claim(UUID(person.id), 0))
        with pytest.raises(httpx.RemoteProtocolError):
            asked.result()
    assert [it.message for it in caplog.records if "export" in it.message.lower()] == [
        "An export was ended: UnauthenticatedError"
    ]


def test_an_export_breaks_off_if_the_database_fails(
    service: httpx.Client,
    person: Person,
    kept_session: Session,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The client can tell; the log has a line and no traceback, and the place is free again."""
    kept_session.execute(text("LOCK TABLE books"))
    with ThreadPoolExecutor(1) as pool, caplog.at_level(logging.WARNING):
        asked = pool.submit(person.ask, "GET", EXPORT)
        await_waiting(kept_session, 1)
        kept_session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
        )
        with pytest.raises(httpx.RemoteProtocolError):
            asked.result()
    kept_session.rollback()
    assert [it.message for it in caplog.records if "export" in it.message.lower()] == [
        "An export was ended: OperationalError"
    ]
    assert not any(it.exc_info for it in caplog.records)
    assert person.ask("GET", EXPORT).status_code == 200


async def _answer(answer: ExportAnswer, scope: dict[str, object]) -> list[str]:
    sent: list[str] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(str(message["type"]))

    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()
        return {}

    await answer(scope, receive, send)  # type: ignore[arg-type]
    return sent


def test_for_head_nothing_is_read() -> None:
    read = []

    def parts() -> Iterator[bytes]:
        read.append("a part")
        yield b"{}"

    answer = ExportAnswer(Exports(at_once=0), uuid4(), parts())
    sent = asyncio.run(_answer(answer, {"type": "http", IS_HEAD: True}))
    assert (sent, read) == (["http.response.start", "http.response.body"], [])


def test_an_export_ends_after_its_time(caplog: pytest.LogCaptureFixture) -> None:
    """Its client reads too slowly: the answer stays without its end."""

    def endless() -> Iterator[bytes]:
        while True:
            yield b"[]"

    answer = ExportAnswer(Exports(longest=0.05), uuid4(), endless())
    with caplog.at_level(logging.WARNING):
        sent = asyncio.run(_answer(answer, {"type": "http"}))
    assert sent[0] == "http.response.start"
    assert "An export was ended: it took more than" in caplog.text
