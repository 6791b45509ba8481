"""The resources that the lifespan opens and the endpoints use."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request
from sqlalchemy.orm import Session, sessionmaker

from alembic_boot.serving.readiness import ReadinessProbe, SharedProbe
from backend.api.database import CONNECTIONS
from backend.api.exporting import AT_ONCE as EXPORTS, Exports
from backend.api.hashing import Hashing
from backend.api.metrics import Metrics
from backend.api.threads import Threads
from backend.api.untrusted_proxies import UntrustedProxies
from backend.cache.answers import Answers
from backend.events.listener import Listener
from backend.services.attempts import Attempts
from backend.services.tokens import Tokens

# Threads for each kind of work that needs a connection; their sum is the number of connections. So
# many requests that wait for a lock leave threads for all other work.
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
    has_shelf_at_root: bool
    answers: Answers
    events: Listener
    hashing: Hashing
    """The threads for sign-ins and registrations; many of them leave all other threads free."""
    judging: Hashing
    """The thread that rates new passwords; a slow one does not delay sign-ins."""
    attempts: Attempts
    untrusted: UntrustedProxies
    counting: Threads = field(default_factory=partial(Threads, _COUNTING))
    """The threads that count attempts."""
    reading: Threads = field(default_factory=partial(Threads, _READING))
    """The threads for requests that read, or that show a token."""
    writing: Threads = field(default_factory=partial(Threads, _WRITING))
    """The threads for requests that write."""
    whole_books: Threads = field(default_factory=partial(Threads, _WHOLE_BOOKS))
    """The threads that read whole books; each read may take 40 MB."""
    making: Threads = field(default_factory=partial(Threads, 1))
    """The thread that makes the single-language answers of books."""
    exports: Exports = field(default_factory=Exports)


# As a coroutine, because FastAPI would run a plain function in a thread.
async def resources(request: Request) -> Resources:
    """Return the open resources."""
    found: Resources = request.app.state.resources
    return found


OpenResources = Annotated[Resources, Depends(resources)]


async def session(opened: OpenResources) -> AsyncIterator[Session]:
    """Yield a session for one request; it takes a connection at its first use."""
    new = opened.sessions()
    try:
        yield new
    finally:
        # Ending a transaction waits for the database, so a thread does that. Not a thread for
        # requests: all of those may be waiting for this connection.
        if new.in_transaction():
            await to_thread.run_sync(new.close, limiter=CapacityLimiter(1))
        else:
            new.close()


# Closed before the answer is sent: a slow reader must not hold a connection.
DatabaseSession = Annotated[Session, Depends(session, scope="function")]
