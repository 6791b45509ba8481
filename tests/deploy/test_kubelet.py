"""The simulated kubelet: its verdicts, with answers that a test makes up."""

import socket

import pytest

from tests.deploy.kubelet import Answer, Streak, ask
from tests.deploy.manifests import Probe

G, B = True, False
"""A good and a bad answer."""


@pytest.mark.parametrize(
    ("answers", "verdicts"),
    [
        ([B, B, B], [True, True, False]),
        ([B, B, G, B, B], [True, True, True, True, True]),
        ([B, B, B, G], [True, True, False, True]),
    ],
)
def test_failures_count_in_a_row(answers: list[bool], verdicts: list[bool]) -> None:
    """One good answer forgives all failures before it."""
    streak = Streak(Probe("/", failure_threshold=3), verdict=True)
    assert [streak.add(it) for it in answers] == verdicts


def test_successes_count_in_a_row() -> None:
    """A probe may ask for several good answers."""
    streak = Streak(Probe("/", success_threshold=2, failure_threshold=1), verdict=None)
    assert [streak.add(it) for it in (G, B, G, G)] == [None, False, False, True]


@pytest.mark.parametrize(
    ("status", "is_good"), [(200, True), (302, True), (404, False), (503, False), (None, False)]
)
def test_statuses_as_kubernetes_reads_them(status: int | None, is_good: bool) -> None:
    """From 200 up to 399 a probe has succeeded."""
    assert Answer(status, "").is_good is is_good


def test_a_closed_port_is_no_answer() -> None:
    """Nothing listens on a socket that is only bound."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        answer = ask(bound.getsockname()[1], Probe("/health/live"))
    assert answer.status is None
    assert "ConnectionRefusedError" in answer.text


def test_a_mute_port_is_no_answer() -> None:
    """The kernel accepts a connection that no process looks at."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        port = mute.getsockname()[1]
        answer = ask(port, Probe("/health/live", timeout=0.05))
    assert answer.status is None
    assert "TimeoutError" in answer.text
