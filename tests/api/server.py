"""The application behind a real Uvicorn on a real port, for tests to talk HTTP with."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from tests.waiting import SOON


class StartupFailedError(Exception):
    """The application's lifespan did not let it start."""


@contextmanager
def serving(app: FastAPI, **options: Any) -> Iterator[httpx.Client]:
    """Serve the application from a thread; give a client for it; stop in order at the end."""
    # With the protocol said, which asyncio looks at before it sends without delay: 40 ms a request.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", **options))

    def run() -> None:
        with suppress(SystemExit):  # how Uvicorn ends where the lifespan failed
            server.run([listener])

    thread = threading.Thread(target=run, name="server")
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise StartupFailedError
            time.sleep(0.005)
        port = listener.getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=SOON) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
