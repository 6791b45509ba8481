"""What the lifespan opens and the endpoints use."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session, sessionmaker

from backend.api.metrics import Metrics
from backend.boot.serving.readiness import ReadinessProbe
from backend.services.tokens import Tokens


@dataclass(frozen=True)
class Resources:
    """Everything that is open while the application serves; kept in `app.state.resources`."""

    sessions: sessionmaker[Session]
    readiness: ReadinessProbe
    tokens: Tokens
    metrics: Metrics
    max_body_bytes: int


def resources(request: Request) -> Resources:
    """Return what is open."""
    found: Resources = request.app.state.resources
    return found


OpenResources = Annotated[Resources, Depends(resources)]


def session(opened: OpenResources) -> Iterator[Session]:
    """Give a session for one request, which takes a connection when it is first used."""
    with opened.sessions() as new:
        yield new


# Closed before the answer is sent: a slow reader must not keep a connection from others.
DatabaseSession = Annotated[Session, Depends(session, scope="function")]
