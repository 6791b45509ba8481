"""Leave nothing behind: remove the leftovers of killed runs first, and this run's at its end."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from alembic_boot.errors import EngineError
from backend.ci.belongings import find_belongings, remove_belongings
from backend.ci.processes import end_processes, find_processes
from backend.ci.run import Run, is_over
from backend.stack.engine.connection import engine

logger = logging.getLogger(__name__)


@contextmanager
def nothing_left(run: Run) -> Iterator[None]:
    """Sweep first; at the end remove the objects and processes of this run.

    If no engine answers at the start, nothing is made in one. Raises EngineError.
    """
    try:
        sweep()
        has_engine = True
    except EngineError as error:
        logger.warning("%s", error.what)
        has_engine = False
    try:
        yield
    finally:
        end_processes(run)
        if has_engine:
            with engine() as client:
                remove_belongings(client, run)


def sweep() -> None:
    """Remove processes and objects in the engine of runs that have ended.

    Raises EngineError.
    """
    # Processes first: they may still be creating objects.
    for run in {run for run, _ in find_processes() if is_over(run)}:
        count = end_processes(run)
        logger.info("Ended %d processes that the run %s left behind", count, run)
    with engine() as client:
        for run in {it.run for it in find_belongings(client) if is_over(it.run)}:
            count = remove_belongings(client, run)
            logger.info("Removed %d things that the run %s left behind", count, run)
