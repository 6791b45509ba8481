"""What measures the attacks is measured first."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from tests.attacks import memory
from tests.attacks.application import LIMIT, Application, Attack
from tests.attacks.load import ask, ask_slowly, crowd, read_slowly, request, stay_idle
from tests.attacks.loads import LOADS
from tests.attacks.memory import MEGABYTE
from tests.attacks.probing import LIST, LIVE, READY, probing

pytestmark = [pytest.mark.slow, pytest.mark.alone]


def test_each_kind_of_client_is_told_what_came_of_it(application: Application) -> None:
    sent = request("GET", LIST)

    async def all_kinds() -> list[dict[str, int]]:
        acts = (
            partial(ask, application.port, sent),
            partial(ask_slowly, application.port, sent, 40, 0.01),
            partial(read_slowly, application.port, sent, 256, 0.001, 30),
            partial(stay_idle, application.port, 0.1, b"GET"),
        )
        return [await crowd(3, act) for act in acts]

    with probing(application.port, LIVE, READY) as meanwhile:
        found = asyncio.run(all_kinds())

    assert found == [{"200": 3}, {"200": 3}, {"200": 3}, {"open": 3}]
    for waits in meanwhile.values():
        assert len(waits.seconds) >= 2
        assert waits.failures == 0
        assert 0 < waits.percentile(50) <= waits.percentile(99)


def test_a_server_that_is_gone_counts_as_failures(application: Application) -> None:
    with probing(application.port, LIVE) as meanwhile:
        application.process.kill()
        outcomes = asyncio.run(crowd(2, partial(ask, application.port, request("GET", LIVE))))
    assert outcomes == {"ConnectionRefusedError": 2}
    assert meanwhile[LIVE].failures > 0
    assert not application.is_alive
    assert application.peak == LIMIT


def test_the_limit_counts_from_the_start(attack: Attack) -> None:
    """An application that needs more than it is given does not serve."""
    with pytest.raises(AssertionError), attack(megabytes=24):
        pass


def test_without_a_group_of_the_kernel_the_memory_is_watched(
    attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "CONTROLLERS", ())
    with attack() as application:
        assert application.limit.group is None
        assert application.is_alive
        assert 20 < application.peak < LIMIT
    with pytest.raises(AssertionError), attack(megabytes=24):
        pass


def test_the_peak_is_that_of_the_application(application: Application) -> None:
    assert application.is_alive
    assert application.limit.size == LIMIT * MEGABYTE
    assert 20 < application.peak < LIMIT


def test_the_document_has_a_row_for_each_load() -> None:
    """With as many clients as there are: what was measured otherwise is said to be."""
    document = (Path(__file__).parents[2] / "docs" / "attacks.md").read_text()
    rows = [f"| {load.count:,} {does} |" for does, load in LOADS.items()]
    assert [it for it in rows if it not in document] == []
