"""One question answers all who ask meanwhile."""

import asyncio
import threading

from alembic_boot.serving.readiness import SharedProbe
from alembic_boot.state.readiness import Readiness


class SlowProbe:
    """Answers when it is told to, and forgets an answer when something is learnt."""

    def __init__(self) -> None:
        self.checks = 0
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.found: Readiness | None = None

    def check(self) -> Readiness:
        self.begun.set()
        assert self.go_on.wait(30)
        self.checks += 1
        # What is learnt during the first look is not in its answer.
        self.found = None if self.checks == 1 else Readiness(ready=False)
        return self.found or Readiness(ready=True)

    def last(self, within: float = 0) -> Readiness | None:
        return self.found


async def _ask(count: int) -> tuple[SlowProbe, list[Readiness]]:
    probe = SlowProbe()
    shared = SharedProbe(probe)
    first, *others = [asyncio.create_task(shared.now()) for _ in range(count)]
    await asyncio.to_thread(probe.begun.wait, 30)
    first.cancel()
    probe.go_on.set()
    return probe, await asyncio.gather(*others)


def test_who_goes_away_takes_the_answer_from_nobody() -> None:
    probe, found = asyncio.run(_ask(20))
    assert found == [Readiness(ready=False)] * 19
    assert probe.checks == 2


class RestlessProbe:
    """Something is learnt during each look, so that no finding is the last word."""

    def __init__(self) -> None:
        self.checks = 0

    def check(self) -> Readiness:
        self.checks += 1
        return Readiness(ready=False, reason=f"look {self.checks}")

    def last(self, within: float = 0) -> None:
        return None


def test_who_asks_is_answered_though_more_is_learnt_all_the_time() -> None:
    """Statements that fail and work by turns keep nobody waiting: the second answer counts."""
    probe = RestlessProbe()

    async def ask() -> Readiness:
        return await asyncio.wait_for(SharedProbe(probe).now(), timeout=30)

    assert asyncio.run(ask()) == Readiness(ready=False, reason="look 2")
