"""Big answers that are being sent are bounded; those of many clients count once."""

import asyncio
from typing import Any

from backend.api.outgoing import BIG, AnswersInFlight, BoundedAnswers


def test_the_bytes_that_are_held() -> None:
    held = AnswersInFlight(most=10)
    one, other, small = bytes(6), bytes(7), bytes(4)
    assert held.add(one)
    assert held.add(one)
    assert not held.add(other)
    assert held.add(small)
    held.remove(one)
    assert not held.add(other)
    held.remove(one)
    assert not held.add(other)
    held.remove(small)
    assert held.add(other)


def test_a_single_answer_is_always_sent() -> None:
    assert AnswersInFlight(most=10).add(bytes(100))


def test_a_later_part_is_always_sent() -> None:
    """What has begun can be refused no more; it counts for others."""
    held = AnswersInFlight(most=10)
    one, other = bytes(6), bytes(7)
    assert held.add(one)
    assert held.add(other, has_begun=True)
    held.remove(one)
    assert not held.add(one)


def test_without_room_a_begun_answer_goes_on() -> None:
    """A second start would be a fault; the whole answer is sent."""
    sent: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"[", "more_body": True})
        await send({"type": "http.response.body", "body": bytes(BIG + 1), "more_body": True})
        await send({"type": "http.response.body", "body": b"]"})

    async def send(message: Any) -> None:
        sent.append(message["type"])

    bounded = BoundedAnswers(app)
    bounded._held = AnswersInFlight(most=BIG)
    assert bounded._held.add(bytes(BIG))
    asyncio.run(bounded({"type": "http"}, None, send))  # type: ignore[arg-type]
    assert sent == ["http.response.start", *["http.response.body"] * 3]


def test_without_room_the_answer_is_503() -> None:
    """It is a problem that says when to come again; nothing of the other answer is sent."""
    go_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(BIG + 1)})

    async def scenario() -> None:
        bounded = BoundedAnswers(app)
        bounded._held = AnswersInFlight(most=BIG)

        async def ask(first: list[Any], *, is_slow: bool) -> None:
            async def send(message: Any) -> None:
                first.append(message)
                if is_slow:
                    await go_on.wait()

            await bounded({"type": "http"}, None, send)  # type: ignore[arg-type]

        slow: list[Any] = []
        refused: list[Any] = []
        again: list[Any] = []
        reading = asyncio.create_task(ask(slow, is_slow=True))
        await asyncio.sleep(0)
        await ask(refused, is_slow=False)
        go_on.set()
        await reading
        await ask(again, is_slow=False)
        assert [it["status"] for it in (slow[0], refused[0], again[0])] == [200, 503, 200]
        assert len(refused) == 2
        assert (b"retry-after", b"5") in refused[0]["headers"]
        assert b"unavailable" in refused[1]["body"]

    asyncio.run(scenario())
