"""The pipeline: one step after another, a log for each, and their results at the end."""

import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from alembic_boot.errors import BootError
from alembic_boot.output.log import TextFormatter
from alembic_boot.signals import Stopped
from backend.ci.command import run_command
from backend.ci.image import IMAGE_VARIABLE, build_and_check, image_name
from backend.ci.leftovers import nothing_left
from backend.ci.results import Outcome, Result, completed, is_success, may_begin, table
from backend.ci.run import Run, this_run
from backend.stack.engine.labels import RUN_VARIABLE

logger = logging.getLogger(__name__)

LOGS = Path(".ci/logs")
"""Folder for the logs of failed runs, in the project's folder."""

_BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Work:
    """The input of a step."""

    folder: Path
    """The project's folder, absolute."""
    run: Run
    log: Path
    args: str
    """Additional arguments for pytest."""


@dataclass(frozen=True)
class Step:
    """A part of the pipeline; `do` returns whether it succeeded."""

    do: Callable[[Work], bool]
    needs: tuple[str, ...] = ()
    uses_engine: bool = True


def _lint(work: Work) -> bool:
    dockerfiles = sorted(str(it) for it in (work.folder / "docker").rglob("Dockerfile*"))
    commands = ([str(_BIN / "inv"), "lint"], [str(_BIN / "hadolint"), *dockerfiles])
    # All of them: a failure must not hide the next one.
    succeeded = [run_command(command, work.log) for command in commands]
    return all(succeeded)


def _test(work: Work) -> bool:
    """Run all tests, as people do."""
    return _make_test(work.args, work.log)


def _image(work: Work) -> bool:
    """Build and check the image; what needs one later in this run takes it."""
    is_fit = build_and_check(work.folder, work.run)
    if is_fit:
        os.environ[IMAGE_VARIABLE] = image_name(work.run)
    return is_fit


def _scenarios(work: Work) -> bool:
    return _make_test(f"-m container {work.args}".rstrip(), work.log)


def _make_test(args: str, log: Path) -> bool:
    return run_command(["make", "test", *([f"ARGS={args}"] if args else [])], log)


def _bench(work: Work) -> bool:
    """Check that all benchmarks run; people look at the measurements."""
    return run_command(["make", "bench", "ARGS=--quick"], work.log)


STEPS = {
    "lint": Step(_lint, uses_engine=False),
    "image": Step(_image),
    "test": Step(_test),
    "scenarios": Step(_scenarios, needs=("image",)),
    "bench": Step(_bench, uses_engine=False),
}


class PipelineFailedError(BootError):
    """At least one step failed."""


def run_pipeline(folder: Path, names: Sequence[str], args: str = "") -> None:
    """Run these steps, and print the result of each.

    A failed step prevents only the steps that need it. All objects of the run are removed from the
    engine, also after a stop signal. Raises PipelineFailedError, and EngineError if an object
    cannot be removed.
    """
    run = this_run()
    os.environ[RUN_VARIABLE] = str(run)
    logs = folder / LOGS / run.tag
    logs.mkdir(parents=True)
    outcomes: list[Outcome] = []
    try:
        uses_engine = any(STEPS[name].uses_engine for name in names)
        with nothing_left(run) if uses_engine else nullcontext():
            for name in names:
                if may_begin(STEPS[name].needs, outcomes):
                    work = Work(folder, run, logs / f"{name}.log", args)
                    _do(name, STEPS[name], work, outcomes)
    finally:
        everything = completed(names, outcomes)
        if is_success(everything):
            shutil.rmtree(logs)
        else:
            logger.info("The logs of this run are in %s", logs)
        sys.stdout.write(f"{table(everything)}\n")
        sys.stdout.flush()
    failed = [f"ci.{it.name}" for it in everything if it.result is Result.FAILED]
    if failed:
        raise PipelineFailedError(f"{' and '.join(failed)} failed.", f"Read the logs in {logs}.")


def _do(name: str, step: Step, work: Work, outcomes: list[Outcome]) -> None:
    """Run a step and append its outcome."""
    began = time.monotonic()
    result = Result.FAILED
    try:
        with _logging_to(work.log):
            logger.info("ci.%s begins", name)
            try:
                result = Result.PASSED if step.do(work) else Result.FAILED
            except BootError as error:
                logger.error("%s", error)  # noqa: TRY400 (it was foreseen)
    except Stopped:
        result = Result.STOPPED
        raise
    finally:
        outcomes.append(Outcome(name, result, time.monotonic() - began))


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Write log lines to a file as well."""
    handler = logging.FileHandler(path)
    handler.setFormatter(TextFormatter())
    logging.root.addHandler(handler)
    try:
        yield
    finally:
        logging.root.removeHandler(handler)
        handler.close()
