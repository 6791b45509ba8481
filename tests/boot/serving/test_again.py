"""What a process does that a reload has begun, before it serves."""

import socket

import pytest
import uvicorn

from alembic_boot.errors import MigrationFailedError
from alembic_boot.serving import reloading
from alembic_boot.serving.boot_answers import Paths
from alembic_boot.serving.reloading import Again
from alembic_boot.serving.server import Config

CONFIG = Config("nowhere:app", log_config=None, log_level="info")


def test_what_ends_a_start_serves_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said in a sentence, without a password; the next change is another try."""

    def before() -> None:
        raise MigrationFailedError("It failed for pepper-and-salt.", "Fix it.")

    def run(*_arguments: object) -> None:
        pytest.fail("it serves")

    monkeypatch.setattr(reloading, "configure_logging", lambda *_: None)
    monkeypatch.setattr(uvicorn.Server, "run", run)
    again = Again(CONFIG, before, Paths(), None, "text", frozenset({"pepper-and-salt"}))
    with socket.socket() as listener, pytest.raises(SystemExit) as ended:
        listener.bind(("127.0.0.1", 0))
        again([listener])
    assert ended.value.code == MigrationFailedError.exit_status
    assert capsys.readouterr().err == "It failed for ***. Fix it.\n"
