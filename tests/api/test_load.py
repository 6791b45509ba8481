"""A request that would wait too long for a thread is refused at once, with a time to try again."""

import asyncio
import threading

import pytest

from backend.api.load import Load
from backend.api.threads import OverloadedError, Threads

THREADS = 10


def loaded(inside: int, seconds: float, idle: float = 0) -> tuple[Load, float]:
    """Return the load of requests that take so long each, and the time.

    The last one ended `idle` seconds ago.
    """
    load, now = Load(THREADS), 1000.0
    for _ in range(100):
        load.enter(now)
        now += seconds
        load.leave(now, now - seconds)
    for _ in range(inside):
        load.enter(now)
    return load, now + idle


@pytest.mark.parametrize(
    ("inside", "seconds", "idle", "expected"),
    [
        (0, 1, 0, 0),
        (9, 1, 0, 0),
        # The threads are taken: the next one to end makes room.
        (10, 1, 0, 0.1),
        (19, 1, 0, 1),
        (39, 1, 0, 3),
        (49, 1, 0, 4),
        (10_009, 0.001, 0, 1),
        # No thread has ended for a time: each takes as long at least.
        (19, 0.001, 2, 2),
        (19, 3, 2, 3),
        (9, 0.001, 60, 0),
    ],
)
def test_the_expected_wait(inside: int, seconds: float, idle: float, expected: float) -> None:
    load, now = loaded(inside, seconds, idle)
    assert load.expected_wait(now) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    ("inside", "seconds", "expected"),
    [(0, 1, None), (58, 1, None), (65, 1, 6), (1000, 1, 10), (1000, 0.01, None)],
)
def test_who_is_sent_away(inside: int, seconds: float, expected: int | None) -> None:
    load, now = loaded(inside, seconds)
    assert load.retry_after(now) == expected


def test_a_load_that_is_over_is_forgotten() -> None:
    load, now = loaded(1000, 1)
    for _ in range(1000):
        load.leave(now, None)
    assert load.expected_wait(now) == 0


def test_the_mean_follows_what_is_measured() -> None:
    load, now = loaded(0, 10)
    for _ in range(50):
        load.enter(now)
        load.leave(now, now - 0.01)
    for _ in range(2 * THREADS):
        load.enter(now)
    assert load.expected_wait(now) < 1


def test_threads_that_hang_send_others_away() -> None:
    """Nothing has been measured yet, and the clock alone tells."""
    times = [0.0]
    go_on = threading.Event()

    async def scenario() -> None:
        threads = Threads(2, lambda: times[0])
        hanging = [asyncio.create_task(threads.run(go_on.wait, 20)) for _ in range(3)]
        await asyncio.sleep(0)
        times[0] = 50.0
        with pytest.raises(OverloadedError) as sent_away:
            await threads.run(int)
        assert sent_away.value.headers == {"Retry-After": "10"}
        go_on.set()
        assert await asyncio.gather(*hanging) == [True, True, True]
        assert await threads.run(int) == 0

    asyncio.run(scenario())


def test_who_gives_up_waiting_leaves() -> None:
    """A cancelled request makes room, and says nothing about how long others take."""
    go_on = threading.Event()

    async def scenario() -> None:
        threads = Threads(1)
        running = asyncio.create_task(threads.run(go_on.wait, 20))
        waiting = asyncio.create_task(threads.run(int))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        go_on.set()
        await running
        assert threads._load.expected_wait(0) == 0

    asyncio.run(scenario())
