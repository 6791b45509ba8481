from itertools import accumulate
from types import SimpleNamespace

import pytest

from alembic_boot import stages
from alembic_boot.stages import Stages


def test_each_second_is_of_one_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs within another stage is not counted twice, also where that fails."""
    clock = accumulate([0, 1, 10, 100, 1000, 10_000])
    monkeypatch.setattr(stages, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    timed = Stages()
    with timed.timed("wait"):
        pass
    with pytest.raises(RuntimeError), timed.timed("migrate"), timed.timed("seed"):
        raise RuntimeError
    assert timed.seconds == {"wait": 1, "seed": 1000, "migrate": 10_100}
