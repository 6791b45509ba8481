"""A command that serves, asked over HTTP and stopped by a signal."""

import json
import signal
from http.client import HTTPConnection
from typing import Any

from tests.cluster import free_port
from tests.strangers.layouts import Stranger
from tests.waiting import wait_until


def assert_serves(theirs: Stranger, command: str, app: str) -> None:
    """Start the command on an empty database; fail unless it migrates, serves and stops.

    `{app}`, `{file}` and `{port}` in it are replaced.
    """
    port = free_port()
    file = f"{app.split(':', maxsplit=1)[0].replace('.', '/')}.py"
    with theirs.starting(*command.format(app=app, file=file, port=port).split()) as process:
        wait_until(lambda: process.poll() is not None or answer(port, "/items") == (200, []), 90)
        assert process.poll() is None, process.communicate()
        status, ready = answer(port, "/health/ready")
        assert (status, ready["status"], ready["state"]) == (200, "ready", "current")
        assert answer(port, "/health/live") == (200, {"status": "ok"})
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=90)
    assert process.returncode in (0, -signal.SIGTERM), stdout + stderr
    assert stdout.count("Applied ") == 2


def answer(port: int, path: str) -> tuple[int, Any]:
    """Return the status and the body; 0 if nobody answers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    except (OSError, ValueError):  # a server may listen before its workers have started
        return 0, None
    finally:
        connection.close()
