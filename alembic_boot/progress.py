"""Progress: a bar for a person at a terminal, or a line now and then for a log."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from alembic_boot.extras import has_bars
from alembic_boot.output import below_log


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows the next of `total` steps; lines of the log stay above."""
    if total < 2 or not _can_draw():
        yield lambda _title: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, transient=True) as progress, below_log():
        task = progress.add_task("", total=total, completed=-1)

        def begin(title: str) -> None:
            progress.update(task, description=title, advance=1)

        yield begin


@contextmanager
def said_meanwhile(
    say: Callable[[], None], after: float = 1.0, every: float = 5.0
) -> Iterator[None]:
    """Call `say`, which logs a line, from another thread during a long operation.

    First after `after` seconds, then every `every` seconds.
    """
    ended = threading.Event()

    def repeat() -> None:
        pause = after
        while not ended.wait(pause):
            say()
            pause = every

    thread = threading.Thread(target=repeat, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def step_by_step(
    total: int, say: Callable[[int, int, str], None], after: float = 1.0, every: float = 5.0
) -> Iterator[Callable[[str], None]]:
    """Yield a function that begins the next of `total` steps, and show which step it is.

    A terminal has a bar, if Rich is installed. Else `say` logs a line as `said_meanwhile` does: it
    gets the number of the step, the total and the step's title.
    """
    if _can_draw():
        with progress_bar(total) as begin:
            yield begin
        return
    begun: list[str] = []

    def say_step() -> None:
        if begun:
            say(len(begun), total, begun[-1])

    with said_meanwhile(say_step, after, every):
        yield begun.append


def _can_draw() -> bool:
    return sys.stdout.isatty() and has_bars()
