"""The folder of a foreign Alembic project, from which its relative paths start."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from alembic_boot.own_work import own_call
from alembic_boot.private_names import version_locations

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


def open_scripts(config: Config, folder: Path) -> ScriptDirectory:
    """Return Alembic's own configuration of a project whose paths start from a folder.

    The paths stay the same when the process works elsewhere. Raises what Alembic raises.
    """
    with working_in(folder):
        before = sys.path[:]
        scripts = ScriptDirectory.from_config(config)
        scripts.dir = os.path.abspath(scripts.dir)  # noqa: PTH100 (Alembic has it as text)
        version_locations(scripts)  # made absolute here, and kept
        added = sys.path[: len(sys.path) - len(before)]
        absolute = [os.path.abspath(it) for it in added]  # noqa: PTH100 (resolves no links)
        again = before[: len(absolute)] == absolute
        sys.path[:] = before if again else [*absolute, *before]
    return scripts
