"""Asking the service over its own port."""

import json
import socket
from typing import Any

import pytest

from alembic_boot.serving.service_probe import ask_service
from tests.boot.serving.served import served


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (200, {"status": "ready"}, (True, None)),
        (200, {"status": "degraded", "reason": "slow"}, (True, "slow")),
        (503, {"status": "unavailable", "reason": "no column"}, (False, "no column")),
        (500, None, (False, "The service answers 500 at /ready.")),
        (200, [], (True, None)),
        (404, {"reason": "no such path"}, (True, None)),
    ],
)
def test_what_it_says(status: int, body: Any, found: tuple[bool, str | None]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        content = b"oh" if body is None else json.dumps(body).encode()
        headers = [(b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    with served(app) as server:
        assert ask_service("0.0.0.0", server.address[1], "/ready") == found


def test_nothing_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        host, port = bound.getsockname()
        found = ask_service(host, port, "/ready")
    assert found == (False, "The service does not answer at /ready.")
