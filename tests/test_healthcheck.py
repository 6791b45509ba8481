"""The image's healthcheck: it waits while the backend boots, and reports what the backend says."""

import json
import threading
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from tests.cluster import free_port
from tests.fixed_answers import answering

BOOTING = (503, '{"status": "booting", "reason": "The boot waits for PostgreSQL."}')
READY = (200, '{"status": "ready"}')


@pytest.fixture
def healthcheck() -> ModuleType:
    """Give the script as a module."""
    path = Path(__file__).parents[1] / "docker" / "backend" / "healthcheck.py"
    spec = spec_from_file_location("healthcheck", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("answers", "status", "said"),
    [
        ([READY], 0, ""),
        ([BOOTING, BOOTING, READY], 0, ""),
        ([BOOTING, (503, '{"status": "draining", "reason": "It ends."}')], 1, "It ends.\n"),
        ([(503, '{"status": "behind"}')], 1, '{"status": "behind"}\n'),
        ([(502, "Bad gateway")], 1, "Bad gateway\n"),
        ([(500, '["booting"]')], 1, '["booting"]\n'),
        ([(500, json.dumps("booting"))], 1, '"booting"\n'),
    ],
)
def test_the_answer_is_the_health(
    healthcheck: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answers: list[tuple[int, str]],
    status: int,
    said: str,
) -> None:
    """A boot alone is waited for."""
    with answering(*answers) as port:
        monkeypatch.setenv("BACKEND_PORT", str(port))
        assert (healthcheck.main(), capsys.readouterr().out) == (status, said)


def test_it_waits_until_the_port_answers(
    healthcheck: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("BACKEND_PORT", str(port))
    found = []
    thread = threading.Thread(target=lambda: found.append(healthcheck.main()))
    thread.start()
    try:
        thread.join(0.2)
        assert found == []
    finally:
        with answering(READY, port=port):
            thread.join()
    assert found == [0]
