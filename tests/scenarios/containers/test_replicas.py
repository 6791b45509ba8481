"""Five replicas start at once on an empty volume."""

import httpx
import pytest

from tests.history import HEAD, OURS
from tests.scenarios.containers.stack import UNTIL_GATE, ServiceStack, free_ports, wait_until
from tests.scenarios.process import matches

pytestmark = [pytest.mark.slow, pytest.mark.container]

TITLES = [f"backend-{number}" for number in range(1, 6)]


def test_five_at_once(stack: ServiceStack) -> None:
    """One of them applies each revision once, the others wait for it, and all of them serve."""
    stack.revision("901", HEAD, UNTIL_GATE)
    with stack.running_inv("up", "--scale", "backend=5", BACKEND_PORT=free_ports(5)) as inv:
        stack.wait_for_the_gate()
        [host, *others] = set(stack.journal(["host"]))
        waiting = f"Waiting for another starter (host {host}, process 1, since …, at …)"
        wait_until(lambda: len(who_said(stack, waiting)) == 4, "the others do not wait")
        waited = who_said(stack, waiting)
        stack.query("CREATE TABLE gate ()")
        inv.finish().assert_ok()
    assert others == []
    assert stack.journal() == [f"{revision}|applied" for revision in (*OURS, "901")]
    [worked] = who_said(stack, "Applied 901 …")
    assert sorted([worked, *waited]) == TITLES
    assert waited == who_said(
        stack, "Database migrations completed successfully (already up to date)"
    )
    for title in TITLES:
        ready = httpx.get(f"{stack.url(title)}/health/ready")
        assert (ready.status_code, ready.json()["current"]) == (200, ["901"])


def who_said(stack: ServiceStack, pattern: str) -> list[str]:
    """Return those of the five that have said it."""
    made = stack.containers().keys()
    return [
        title
        for title in TITLES
        if title in made and any(matches(line, pattern) for line in stack.log(title))
    ]
