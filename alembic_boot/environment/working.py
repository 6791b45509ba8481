"""Run the code of a project in the folder from which its relative paths start."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from alembic_boot.own_work import own_call

_working = threading.Lock()
"""One call at a time: another would take this folder for the one to go back to."""


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Run the project's code in a folder, as a person does who runs Alembic there.

    Threads share the working folder. If it is the present one, only changes by the project's code
    are undone.
    """
    with own_call() as call:
        # env.py may run Alembic in a thread of its own, and wait for that thread.
        is_outermost = not call.runs_their_code
        with _working if is_outermost else nullcontext():
            before = Path.cwd()
            if not before.samefile(folder):
                os.chdir(folder)
            call.runs_their_code = True
            try:
                yield
            finally:
                call.runs_their_code = not is_outermost
                os.chdir(before)
