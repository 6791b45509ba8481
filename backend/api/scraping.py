"""The figures, for Prometheus to fetch."""

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import choose_encoder

from backend.api.dependencies import OpenResources

_FRESH = 30
"""Seconds that the last probe's finding counts: a scrape asks the database only without one."""

router = APIRouter()


# Not a part of the API that clients use, so not in its document.
@router.get("/metrics", include_in_schema=False)
async def metrics(opened: OpenResources, request: Request) -> Response:
    """Return everything that is counted, in the format that the scraper asks for."""
    await opened.asked.now(within=_FRESH)
    try:
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
    except (TypeError, ValueError):  # a version that is no number
        encode, media_type = choose_encoder("")
    return Response(encode(opened.metrics), headers={"Content-Type": media_type})
