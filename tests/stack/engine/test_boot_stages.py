"""`up` tells what the boot in a container does, as its readiness says."""

import logging
from dataclasses import dataclass
from typing import Any, cast

import pytest

from backend.stack.engine.boot_stages import tell_boots
from backend.stack.engine.containers import Member
from tests.cluster import free_port
from tests.fixed_answers import answering


@dataclass(eq=False)
class Inspected:
    """A container as far as it is looked at."""

    attrs: dict[str, Any]


def member(port: int, host: str = "0.0.0.0", *environment: str) -> Member:
    """Return a container that publishes its port 8000."""
    attrs = {
        "Config": {"Env": [*environment, "PATH=/bin"]},
        "NetworkSettings": {"Ports": {"8000/tcp": [{"HostIp": host, "HostPort": str(port)}]}},
    }
    return Member(cast("Any", Inspected(attrs)), "backend", 1)


def booting(reason: str) -> tuple[int, str]:
    return 503, f'{{"status": "booting", "reason": "{reason}"}}'


def test_each_stage_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Until the application answers."""
    caplog.set_level(logging.INFO, "backend.stack")
    told: dict[Member, str] = {}
    waits, runs = booting("The boot waits."), booting("Migration 004 is running (4 of 8).")
    answers = [waits, waits, runs, (503, '{"status": "behind"}'), (500, "?"), (200, "[]")]
    with answering(*answers) as port:
        backend = member(port, "0.0.0.0", "BACKEND_PORT=8000")
        for _ in answers:
            tell_boots([backend], told)
    assert caplog.messages == [
        "backend-1: The boot waits.",
        "backend-1: Migration 004 is running (4 of 8).",
    ]


def test_other_containers_are_not_asked(caplog: pytest.LogCaptureFixture) -> None:
    """A database takes no HTTP; a port that nothing listens on is no failure either."""
    caplog.set_level(logging.INFO, "backend.stack")
    with answering() as port:
        tell_boots([member(port)], {})
        tell_boots([member(port, "127.0.0.1", "BACKEND_PORT=9000")], {})
    tell_boots([member(free_port(), "", "BACKEND_PORT=8000")], {})
    no_ports: dict[str, Any] = {"Config": {"Env": None}, "NetworkSettings": {"Ports": None}}
    tell_boots([Member(cast("Any", Inspected(no_ports)), "db", 1)], {})
    assert caplog.messages == []
