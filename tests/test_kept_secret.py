import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from alembic_boot.errors import ServingFailedError
from alembic_boot.output.masking import mask
from backend.kept_secret import kept_secret


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    """It is long, stays the same, and nobody else may read it."""
    folder = tmp_path / ".data"
    secret = kept_secret(folder)
    assert re.fullmatch("[0-9a-f]{64}", secret)
    assert kept_secret(folder) == secret
    assert [(it.name, it.stat().st_mode & 0o777) for it in folder.iterdir()] == [
        ("jwt_secret", 0o600)
    ]


def test_those_who_start_at_once_get_the_same(tmp_path: Path) -> None:
    barrier = Barrier(8)

    def start(_number: int) -> str:
        barrier.wait()
        return kept_secret(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(8)))) == 1
    assert os.listdir(tmp_path) == ["jwt_secret"]  # noqa: PTH208


def test_it_is_masked(tmp_path: Path) -> None:
    secret = kept_secret(tmp_path)
    assert mask(f"signed with {secret}") == "signed with ***"


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """With what to do about it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ServingFailedError, match=r"file/jwt_secret: .* Set JWT_SECRET"):
        kept_secret(tmp_path / "file")


def test_an_empty_file_signs_nothing(tmp_path: Path) -> None:
    (tmp_path / "jwt_secret").write_text("\n")
    with pytest.raises(ServingFailedError, match="is empty"):
        kept_secret(tmp_path)
