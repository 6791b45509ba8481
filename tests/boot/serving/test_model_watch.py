"""What is said of differences between the models and the schema, and for how long."""

import logging
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest

from alembic_boot.checking.comparison import Comparison
from alembic_boot.serving import model_watch
from alembic_boot.serving.handover import hand_over, handed_over
from alembic_boot.serving.model_watch import ModelWatch, comparison_is_due, reason
from backend.settings import load_settings

BOOT = load_settings({"APP_ENV": "test", "DATABASE_URL": "postgresql://a@b/c"}).description()

FAILURE = "models.py, line 3: KeyError: 'x'."

AGAIN = 'Write the revision: `inv revision --message "what changed"`'


@pytest.mark.parametrize(
    ("differences", "named"),
    [
        (("one",), "one"),
        (("one", "two", "three"), "one; two; three"),
        (("one", "two", "three", "four", "five"), "one; two; three; and 2 more, in the log"),
    ],
)
def test_the_reason(differences: tuple[str, ...], named: str) -> None:
    assert reason(differences) == (
        f"The models and the schema differ: {named}. Write the revision that is missing: "
        '`inv revision --message "what changed"`. The next start applies it.'
    )


def test_no_reason() -> None:
    assert reason(()) is None


def boot_differences() -> str | None:
    return handed_over(BOOT).get("differences")


class Watch(ModelWatch):
    """A watch that finds what it is told, and ends when nothing is left to find."""

    def __init__(self, *found: dict[str, Any]) -> None:
        super().__init__(BOOT)
        self.left = list(found)
        self.reasons: list[str | None] = []

    def _compare(self) -> dict[str, Any]:
        self.reasons.append(boot_differences())
        return self.left.pop(0)


def outcome(*differences: str, beyond: str = "", failure: str | None = None) -> dict[str, Any]:
    found = Comparison(differences, tuple(beyond.split()), failure)
    return asdict(found)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    monkeypatch.setattr(model_watch, "_CALM", 0)
    monkeypatch.setattr(model_watch, "_PAUSES", (0, 0))
    caplog.set_level(logging.INFO)
    yield
    hand_over(BOOT, differences=None)
    comparison_is_due.clear()


def watched(watch: Watch) -> Watch:
    watch.start()
    watch._thread.join(30)
    assert watch.left == []
    return watch


def test_nothing_differs(caplog: pytest.LogCaptureFixture) -> None:
    """It is looked at once, and nothing is said."""
    watched(Watch(outcome()))
    assert (boot_differences(), caplog.messages) == (None, [])


def test_it_is_over_when_the_schema_is_repaired(caplog: pytest.LogCaptureFixture) -> None:
    """Each difference is said once, and readiness knows those that there are now."""
    watch = watched(Watch(outcome("one", "two"), outcome("two", "three"), outcome()))
    assert watch.reasons == [None, reason(("one", "two")), reason(("two", "three"))]
    assert boot_differences() is None
    assert caplog.messages == [
        *(f"The models and the schema differ: {it}. {AGAIN}" for it in ("one", "two", "three")),
        "The models and the schema agree",
    ]


def test_what_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    """It is said, and readiness stays as it is."""
    watched(Watch(outcome(beyond="notes")))
    assert boot_differences() is None
    assert caplog.messages == [
        "The models and the schema differ: notes. No request needs what differs"
    ]


def test_a_comparison_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """It is said once, readiness stays as it is, and the next comparison may succeed."""
    failed = outcome(failure=FAILURE)
    watch = watched(Watch(failed, failed, outcome("one"), outcome()))
    assert watch.reasons == [None, None, None, reason(("one",))]
    assert caplog.messages[0] == f"The models could not be compared with the schema: {FAILURE}"
    assert caplog.messages[1].startswith("The models and the schema differ: one.")


def test_a_comparison_that_fails_again(caplog: pytest.LogCaptureFixture) -> None:
    """It is said once. What differed, differs until a comparison says otherwise."""
    failed = outcome(failure=FAILURE)
    watch = watched(Watch(outcome("one"), failed, failed, outcome()))
    assert watch.reasons == [None, *3 * [reason(("one",))]]
    assert boot_differences() is None
    assert caplog.messages[1:] == [
        f"The models could not be compared with the schema: {FAILURE}",
        "The models and the schema agree",
    ]


def test_a_schema_that_is_on_its_way(caplog: pytest.LogCaptureFixture) -> None:
    """A revision was written, and not applied yet: what differed, differs."""
    behind = asdict(Comparison(is_at_head=False))
    watch = watched(Watch(outcome("one"), behind, outcome()))
    assert watch.reasons == [None, *2 * [reason(("one",))]]
    assert caplog.messages[1:] == ["The models and the schema agree"]


def test_a_schema_that_is_not_at_head(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is said until it is there."""
    behind = asdict(Comparison(is_at_head=False))
    watch = watched(Watch(behind, behind, outcome("one"), outcome()))
    assert watch.reasons == [None, None, None, reason(("one",))]
    assert caplog.messages[0].startswith("The models and the schema differ: one.")


@pytest.mark.parametrize(
    ("of_module", "name", "value", "cause"),
    [
        (model_watch, "_MODULE", "no_such_module", "the process ended with status 1."),
        (sys, "executable", "/no/such/python", "no process could be started: No such file or dir"),
        (model_watch, "_LONGEST", 0, "it took more than 0 s."),
    ],
)
def test_a_process_that_does_not_come_to_its_end(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    of_module: object,
    name: str,
    value: object,
    cause: str,
) -> None:
    monkeypatch.setattr(of_module, name, value)
    watch = ModelWatch(BOOT)
    watch.start()
    while not caplog.messages:
        assert watch._thread.is_alive()
    watch.stop()
    line = caplog.messages[0]
    assert line.startswith(f"The models could not be compared with the schema: {cause}")


def test_a_stop_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for the next comparison, nor for the one that is running."""
    monkeypatch.setattr(model_watch, "_PAUSES", (3600, 3600))
    waiting = Watch(outcome("one"))
    waiting.start()
    while boot_differences() is None:
        pass
    waiting.stop()
    assert not waiting._thread.is_alive()

    monkeypatch.setattr(model_watch, "_MODULE", "timeit")  # takes a while
    running = ModelWatch(BOOT)
    running.start()
    while running._process is None:
        pass
    running.stop()
    assert not running._thread.is_alive()


def test_a_comparison_that_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a migration nobody waits for the pause to end."""
    monkeypatch.setattr(model_watch, "_PAUSES", (3600, 3600))
    watch = Watch(outcome("one"), outcome())
    watch.start()
    while boot_differences() is None:
        pass
    comparison_is_due.set()
    watch._thread.join(30)
    assert (watch.left, boot_differences()) == ([], None)
