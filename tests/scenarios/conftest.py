"""Fixtures: one prepared process from which the simple runs of all scenarios are forked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios import process
from tests.scenarios.process import Finished
from tests.scenarios.starters import starters


@pytest.fixture(scope="session", autouse=True)
def forked_runs() -> Iterator[None]:
    """Save each run the most of a second that its imports take."""
    with starters() as zygote:

        def run(folder: Path, *arguments: str, **variables: str) -> Finished:
            return zygote.spawn(folder, *arguments, barrier=False, **variables).finish()

        process.forked_run = run
        yield
        process.forked_run = None
