"""The metrics route, for Prometheus."""

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import choose_encoder

from backend.api.dependencies import OpenResources

_FRESH = 30
"""Seconds for which the last probe counts: a scrape probes the database only if there is none."""

router = APIRouter()


# Not part of the public API, so not in its document.
@router.get("/metrics", include_in_schema=False)
async def metrics(opened: OpenResources, request: Request) -> Response:
    """Return all metrics in the format that the scraper asks for."""
    await opened.asked.now(within=_FRESH)
    try:
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
    except (TypeError, ValueError):  # the version is not a number
        encode, media_type = choose_encoder("")
    return Response(encode(opened.metrics), headers={"Content-Type": media_type})
