"""Progress: a live line for a person at a terminal, or a line now and then for a log."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from alembic_boot.extras import has_live_line
from alembic_boot.output.masking import mask
from alembic_boot.output.stdout import below_log
from alembic_boot.situation import Situation

_AFTER, _EVERY = 1.0, 5.0
"""Seconds after which something is shown, and after which a log says it again."""

_REDRAWS = 2
"""Times a second that the live line is drawn."""

_is_live = threading.Lock()
"""Held while a terminal has a live line: an inner one is not shown."""


@contextmanager
def live_line(line: Callable[[], str], after: float = _AFTER) -> Iterator[None]:
    """Show what `line` returns below the log, during a long operation, if there is a terminal.

    Nothing is shown if Rich is not installed.
    """
    if not _can_draw() or not _is_live.acquire(blocking=False):
        yield
        return
    try:
        with _beside(partial(_draw, line, after)):
            yield
    finally:
        _is_live.release()


def _draw(line: Callable[[], str], after: float, ended: threading.Event) -> None:
    if ended.wait(after):
        return
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    def drawn() -> Group:
        text = line()
        return Group(*[Text(text, no_wrap=True, overflow="ellipsis")] if text else [])

    live = Live(
        console=Console(soft_wrap=True),  # or it would cut the lines of the log
        get_renderable=drawn,
        refresh_per_second=_REDRAWS,
        transient=True,
        redirect_stderr=sys.stderr.isatty(),
    )
    with below_log(), live:
        ended.wait()


def running_line(situation: Situation, now: float) -> str:
    """Return the revision that runs, how long, and what delays it; empty if none runs."""
    if situation.revision is None:
        return ""
    number = min(situation.done + 1, situation.of)
    seconds = now - situation.revision_began_at
    line = _step_line(number, situation.of, situation.revision, seconds)
    if situation.build is not None:
        line += f"  {situation.build}"
    if situation.blocked_by is not None:
        line += f"  blocked for {int(now - situation.blocked_since)} s by {situation.blocked_by}"
    return mask(line)


def _step_line(number: int, total: int, title: str, seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return f"{title}  ({number} of {total})  {clock}"


@contextmanager
def said_meanwhile(
    say: Callable[[], None], after: float = _AFTER, every: float = _EVERY
) -> Iterator[None]:
    """Call `say`, which logs a line, from another thread during a long operation.

    First after `after` seconds, then every `every` seconds.
    """

    def repeat(ended: threading.Event) -> None:
        pause = after
        while not ended.wait(pause):
            say()
            pause = every

    with _beside(repeat):
        yield


@contextmanager
def step_by_step(
    total: int, say: Callable[[int, int, str], None], after: float = _AFTER, every: float = _EVERY
) -> Iterator[Callable[[str], None]]:
    """Yield a function that begins the next of `total` steps, and show which step it is.

    A terminal has a live line, if Rich is installed. Else `say` logs a line as `said_meanwhile`
    does: it gets the number of the step, the total and the step's title.
    """
    begun: list[tuple[str, float]] = []

    def line() -> str:
        if not begun:
            return ""
        title, began_at = begun[-1]
        return _step_line(len(begun), total, title, time.monotonic() - began_at)

    def say_step() -> None:
        if begun:
            say(len(begun), total, begun[-1][0])

    with live_line(line, after) if _can_draw() else said_meanwhile(say_step, after, every):
        yield lambda title: begun.append((title, time.monotonic()))


def _can_draw() -> bool:
    return sys.stdout.isatty() and has_live_line()


@contextmanager
def _beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run `work` in another thread; it returns when its event is set, after the block."""
    ended = threading.Event()
    thread = threading.Thread(target=work, args=(ended,), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
