"""Fixtures: the wheel, and a function that gives bare environments."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.strangers.environments import Environment, build, environment, once

MakeEnvironment = Callable[..., Environment]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder that all workers of this run share."""
    folder = tmp_path_factory.getbasetemp()
    return (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "strangers"


@pytest.fixture(scope="session")
def wheel(shared: Path) -> Path:
    """Give the wheel as a stranger gets it."""
    [path] = once(shared / "wheel", build).glob("*.whl")
    return path


@pytest.fixture(scope="session")
def environment_of(shared: Path) -> MakeEnvironment:
    """Give what makes an environment with these packages, once."""
    return partial(environment, shared)
