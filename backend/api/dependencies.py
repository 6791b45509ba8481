"""The resources that the lifespan opens and the endpoints use."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request
from sqlalchemy.orm import Session, sessionmaker

from alembic_boot.serving.readiness import ReadinessProbe
from backend.api.database import CONNECTIONS
from backend.api.exporting import AT_ONCE as EXPORTS
from backend.api.exporting import Exports
from backend.api.hashing import Hashing
from backend.api.metrics import Metrics
from backend.api.shared_probe import SharedProbe
from backend.api.threads import Threads
from backend.api.untrusted_proxies import UntrustedProxies
from backend.cache.answers import Answers
from backend.events.listener import Listener
from backend.services.attempts import Attempts
from backend.services.tokens import Tokens

# Threads for each work that needs a connection, as many together as there are connections. So a
# crowd that waits for a lock leaves all other work its own.
_COUNTING = 2
_WHOLE_BOOKS = 2
_WRITING = 4
_READING = CONNECTIONS - _COUNTING - _WHOLE_BOOKS - _WRITING - EXPORTS


@dataclass(frozen=True)
class Resources:
    """Everything that is open while the application serves; kept in `app.state.resources`."""

    sessions: sessionmaker[Session]
    readiness: ReadinessProbe
    asked: SharedProbe
    tokens: Tokens
    metrics: Metrics
    max_body_bytes: int
    shows_docs: bool
    answers: Answers
    events: Listener
    hashing: Hashing
    """The threads of those who sign in or register: a crowd of them leaves all others' free."""
    judging: Hashing
    """The thread that judges new passwords: a bad one holds up no one who signs in."""
    attempts: Attempts
    untrusted: UntrustedProxies
    counting: Threads = field(default_factory=partial(Threads, _COUNTING))
    """The threads that count attempts."""
    reading: Threads = field(default_factory=partial(Threads, _READING))
    """The threads of those who read, or show a token."""
    writing: Threads = field(default_factory=partial(Threads, _WRITING))
    """The threads of those who write."""
    whole_books: Threads = field(default_factory=partial(Threads, _WHOLE_BOOKS))
    """The threads that read whole books, each of which may take 40 MB meanwhile."""
    making: Threads = field(default_factory=partial(Threads, 1))
    """The thread that makes the answers in single languages of books that were read."""
    exports: Exports = field(default_factory=Exports)


# Not in a thread, as FastAPI would have a plain function.
async def resources(request: Request) -> Resources:
    """Return what is open."""
    found: Resources = request.app.state.resources
    return found


OpenResources = Annotated[Resources, Depends(resources)]


async def session(opened: OpenResources) -> AsyncIterator[Session]:
    """Give a session for one request, which takes a connection when it is first used."""
    new = opened.sessions()
    try:
        yield new
    finally:
        # In a thread only where there is something to end, which waits for the database. Not among
        # the threads of requests: those may all be waiting for this connection.
        if new.in_transaction():
            await to_thread.run_sync(new.close, limiter=CapacityLimiter(1))
        else:
            new.close()


# Closed before the answer is sent: a slow reader must not keep a connection from others.
DatabaseSession = Annotated[Session, Depends(session, scope="function")]
