"""Asking the service over its own port."""

import json
import socket
from typing import Any

import pytest

from alembic_boot.serving.service_probe import ask_service
from alembic_boot.state.readiness import Readiness
from tests.boot.serving.served import served


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (200, {"status": "ready", "state": "current"}, (True, "current", None)),
        (200, {"status": "degraded", "reason": "slow"}, (True, None, "slow")),
        (503, {"state": "behind", "reason": "no column"}, (False, "behind", "no column")),
        (500, None, (False, None, "The service answers 500 at /ready.")),
        (200, [], (True, None, None)),
        (200, {"state": "up"}, (True, None, None)),
        (404, {"state": "current", "reason": "no such path"}, (True, None, None)),
    ],
)
def test_what_it_says(status: int, body: Any, found: tuple[bool, str | None, str | None]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        content = b"oh" if body is None else json.dumps(body).encode()
        headers = [(b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    with served(app) as server:
        said = ask_service("0.0.0.0", server.address[1], "/ready")
    assert (said.ready, said.state, said.reason) == found


def test_nothing_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        host, port = bound.getsockname()
        found = ask_service(host, port, "/ready")
    assert found == Readiness(ready=False, reason="The service does not answer at /ready.")
