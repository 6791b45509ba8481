"""An application of the tests' own, which says what it does and takes its time."""

from pathlib import Path
from textwrap import dedent

APPLICATION = '''
import asyncio
import logging

log = logging.getLogger("planted")


async def app(scope, receive, send):
    """Start slowly where the test says so, answer slowly, and say when each begins."""
    if scope["type"] == "lifespan":
        await receive()
        log.info("Starting up")
        await asyncio.sleep({start})
        await send({{"type": "lifespan.startup.complete"}})
        log.info("Started up")
        await receive()
        log.info("Shutting down in order")
        await send({{"type": "lifespan.shutdown.complete"}})
        return
    log.info("Answering")
    await asyncio.sleep({answer})
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": b"done"}})
'''


def plant_application(folder: Path, *, start: float = 0, answer: float = 0) -> dict[str, str]:
    """Write an application of the test's own; return the variables that make it the one served."""
    code = dedent(APPLICATION).format(start=start, answer=answer)
    (folder / "planted.py").write_text(code)
    return {"ASGI_APP": "planted:app", "PYTHONPATH": str(folder)}
