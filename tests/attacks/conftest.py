"""Fixtures: the real application on a database of the test's own, with 512 MB of memory."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.attacks.application import Application, Attack, attacked
from tests.scenarios.process import project


@pytest.fixture
def attack(tmp_path: Path, seeded_url: str) -> Attack:
    """Give what starts the application; it takes `megabytes`, `descriptors` and settings."""
    return partial(attacked, project(tmp_path), seeded_url)


@pytest.fixture
def application(attack: Attack) -> Iterator[Application]:
    """Give the application, started with 512 MB and production's settings."""
    with attack() as application:
        yield application
