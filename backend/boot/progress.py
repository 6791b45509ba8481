"""A progress bar for whoever watches on a terminal; nothing at all for a log."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[str], None]]:
    """Give a function that shows which of `total` steps begins; lines of the log stay above."""
    if total < 2 or not sys.stdout.isatty():
        yield lambda _title: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task("", total=total, completed=-1)

        def begin(title: str) -> None:
            progress.update(task, description=title, advance=1)

        yield begin
