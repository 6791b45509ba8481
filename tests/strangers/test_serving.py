"""The command that `run` becomes: it serves, and readiness answers through the router."""

import json
import signal
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.cluster import free_port
from tests.strangers.layouts import LAYOUTS, MakeStranger
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

COMMANDS = {
    "uvicorn": "uvicorn {app} --port {port}",
    "gunicorn": "gunicorn {app} -k uvicorn_worker.UvicornWorker -w 2 -b 127.0.0.1:{port}",
    "fastapi": "fastapi run {file} --host 127.0.0.1 --port {port}",
    "start": "start --app {app} --port {port}",
}


@pytest.mark.parametrize("server", COMMANDS)
def test_the_command_serves(server: str, stranger: MakeStranger) -> None:
    """It has the process's own id, so a signal reaches it, and its status is the start's."""
    layout = LAYOUTS[0]
    theirs = stranger(layout)
    port = free_port()
    file = f"{layout.app.split(':')[0].replace('.', '/')}.py"
    words = COMMANDS[server].format(app=layout.app, file=file, port=port).split()
    with theirs.starting(*([] if server == "start" else ["run", "--"]), *words) as process:
        wait_until(lambda: process.poll() is not None or answer(port, "/items") == (200, []))
        assert process.poll() is None, process.communicate()
        status, ready = answer(port, "/health/ready")
        assert (status, ready["status"], ready["current"]) == (200, "ready", ["6f5e4d3c2b1a"])
        assert answer(port, "/health/live") == (200, {"status": "ok"})
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=30)
    assert process.returncode in (0, -signal.SIGTERM), stdout + stderr
    assert "Applied " in stdout


def answer(port: int, path: str) -> tuple[int, Any]:
    """Return the status and the body; 0 if nobody answers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    except (ConnectionError, ValueError):
        return 0, None
    finally:
        connection.close()
