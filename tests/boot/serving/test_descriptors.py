"""The descriptors of a process, and how many of them connections may take."""

import resource
import subprocess
import sys

import pytest

from alembic_boot.serving.open_connections import (
    allow_all_descriptors,
    connections_within,
    wanted_limit,
)

INFINITE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("descriptors", "connections"),
    [(64, 32), (256, 128), (512, 256), (1024, 768), (4096, 3840), (20_000, 4096), (INFINITE, 4096)],
)
def test_a_part_is_kept_for_other_things(descriptors: int, connections: int) -> None:
    assert connections_within(descriptors) == connections


@pytest.mark.parametrize(
    ("soft", "hard", "wanted"),
    [
        (256, 1024, 1024),
        (256, INFINITE, 4352),
        (9000, INFINITE, 9000),
        (INFINITE, INFINITE, INFINITE),
    ],
)
def test_an_infinite_limit_is_not_asked_for(soft: int, hard: int, wanted: int) -> None:
    """macOS says that there is no limit, and refuses to have none."""
    assert wanted_limit(soft, hard) == wanted


def test_a_limit_that_the_system_refuses_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serving begins all the same."""

    def refuse(*_: object) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    allow_all_descriptors()


def test_the_soft_limit_becomes_the_hard_one() -> None:
    """In a process of its own: this one keeps its limit."""
    code = (
        "import resource; from alembic_boot.serving.open_connections import allow_all_descriptors\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, (256, {hard()}))\n"
        "allow_all_descriptors(); print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout == f"({hard()}, {hard()})\n"


def hard() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]
