"""Health routes: the process answers, and it can do its work."""

from fastapi import APIRouter, Request, status
from fastapi.responses import JSONResponse

from alembic_boot.output.masking import mask
from alembic_boot.serving.middleware import IS_DRAINING
from alembic_boot.state.readiness import Readiness
from backend.api.dependencies import OpenResources
from backend.api.schemas import Live, Ready, Unavailable

_DRAINING = Unavailable(
    status="draining",
    state=None,
    current=[],
    target=None,
    reason="This replica is stopping: it finishes what it has, and new requests go to another.",
)

_DEAF = (
    "No events are heard: what others change is seen when the cache's time is over. "
    "The log says why; it fixes itself when PostgreSQL can be listened to."
)

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", summary="Is the process alive?")
async def live() -> Live:
    """Return ok; check nothing that a restart of the process could not fix.

    Not in a thread like the other routes: if all threads wait for the database, a restart does not
    help either.
    """
    return Live()


@router.get(
    "/ready",
    summary="Can it serve?",
    response_model=Ready,
    responses={
        status.HTTP_503_SERVICE_UNAVAILABLE: {
            "model": Unavailable,
            "description": "The database is away, its schema is not ready, or this is stopping.",
        }
    },
)
async def ready(opened: OpenResources, request: Request) -> JSONResponse:
    """Return whether the database answers and its schema fits this release.

    The answer may be a second old. One query of the database serves all requests of that time.
    """
    if getattr(request.state, IS_DRAINING, bool)():
        return JSONResponse(_DRAINING.model_dump(), status.HTTP_503_SERVICE_UNAVAILABLE)
    found = await opened.asked.now()
    if found.ready:
        ready = _ready(found, hears=opened.events.is_listening)
        return JSONResponse(ready.model_dump(exclude_none=True))
    return JSONResponse(_unavailable(found).model_dump(), status.HTTP_503_SERVICE_UNAVAILABLE)


def _ready(found: Readiness, *, hears: bool) -> Ready:
    reasons = [it for it in (found.reason, None if hears else _DEAF) if it is not None]
    return Ready(
        status="degraded" if reasons else "ready",
        state=str(found.state),
        current=list(found.current),
        target=str(found.target),
        reason=" ".join(reasons) or None,
    )


def _unavailable(found: Readiness) -> Unavailable:
    return Unavailable(
        state=found.state,
        current=list(found.current),
        target=found.target,
        reason=mask(found.reason or "Nothing more is known."),
    )
