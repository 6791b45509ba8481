"""Health: whether the process answers, and whether it can do its work."""

from fastapi import APIRouter, status
from fastapi.responses import JSONResponse

from backend.api.dependencies import OpenResources
from backend.api.schemas import Live, Ready, Unavailable
from backend.boot.masking import mask
from backend.boot.serving.readiness import Readiness

_DEAF = (
    "No events are heard: what others change is seen when the cache's time is over. "
    "The log says why; it mends itself when PostgreSQL can be listened to."
)

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", summary="Is the process alive?")
async def live() -> Live:
    """Return ok, without a look at anything that a restart of the process could not mend.

    Not in a thread like the others: where all threads wait for the database, a restart would
    mend nothing either.
    """
    return Live()


@router.get(
    "/ready",
    summary="Can it serve?",
    response_model=Ready,
    responses={
        status.HTTP_503_SERVICE_UNAVAILABLE: {
            "model": Unavailable,
            "description": "The database is away, or its schema is not ready.",
        }
    },
)
def ready(opened: OpenResources) -> JSONResponse:
    """Return whether the database answers and its schema is where this release needs it."""
    found = opened.readiness.check()
    if found.ready:
        ready = _ready(found, hears=opened.events.is_listening)
        return JSONResponse(ready.model_dump(exclude_none=True))
    return JSONResponse(_unavailable(found).model_dump(), status.HTTP_503_SERVICE_UNAVAILABLE)


def _ready(found: Readiness, *, hears: bool) -> Ready:
    return Ready(
        status="ready" if hears else "degraded",
        state=str(found.state),
        current=list(found.current),
        target=str(found.target),
        reason=None if hears else _DEAF,
    )


def _unavailable(found: Readiness) -> Unavailable:
    return Unavailable(
        state=found.state,
        current=list(found.current),
        target=found.target,
        reason=mask(found.reason or "Nothing more is known."),
    )
