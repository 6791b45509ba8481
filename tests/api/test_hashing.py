"""Few threads hash passwords, and only so many wait for them."""

import asyncio
import threading

import pytest

from backend.api.hashing import Hashing
from backend.services.errors import BusyError


def test_no_more_threads_than_there_are_for_it() -> None:
    """However many ask."""
    names = set()

    async def ask() -> None:
        hashing = Hashing(threads=2, waiting=50)
        work = [hashing.run(lambda: names.add(threading.current_thread().name)) for _ in range(50)]
        await asyncio.gather(*work)
        hashing.close()

    asyncio.run(ask())
    assert {name.partition("_")[0] for name in names} == {"hashing"}
    assert len(names) <= 2


def test_who_finds_the_queue_full_is_sent_away() -> None:
    """At once, and is served when there is room again: also after somebody who gave up."""
    gate = threading.Event()

    async def ask() -> None:
        hashing = Hashing(threads=1, waiting=1)
        first, second = (asyncio.create_task(hashing.run(gate.wait, 60)) for _ in range(2))
        await asyncio.sleep(0)
        with pytest.raises(BusyError) as refused:
            await hashing.run(gate.wait, 60)
        assert refused.value.retry_after > 0
        second.cancel()
        await asyncio.wait([second])
        third = asyncio.create_task(hashing.run(gate.wait, 60))
        await asyncio.sleep(0)
        gate.set()
        assert all(await asyncio.gather(first, third))
        hashing.close()

    asyncio.run(ask())


def test_what_fails_fails_for_the_one_who_asked() -> None:
    async def ask() -> None:
        hashing = Hashing(threads=1, waiting=0)
        with pytest.raises(ZeroDivisionError):
            await hashing.run(lambda: 1 // 0)
        assert await hashing.run(lambda: 1) == 1
        hashing.close()

    asyncio.run(ask())
