"""The OpenAPI document, and a page that shows it without any file from other servers.

The scripts are Swagger UI's, from the package fastapi-offline.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from backend.api.dependencies import OpenResources

_ASSETS = files("fastapi_offline") / "static"

_FILES: Mapping[str, str] = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
"""The files of the page, with their media types."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>MoriAI</title>
<link rel="icon" href="docs/favicon.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

# Without this setting Swagger UI asks a validator on the Internet.
_START = """
SwaggerUIBundle({url: "openapi.json", dom_id: "#api", deepLinking: true, validatorUrl: null});
"""

# In addition to the headers that the server adds to each answer.
_HEADERS = {
    # Swagger UI draws its icons from data: URLs.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
}


async def _shown(opened: OpenResources) -> None:
    """Answer 404 if the settings hide the documentation."""
    if not opened.shows_docs:
        raise HTTPException(404)


router = APIRouter(include_in_schema=False, dependencies=[Depends(_shown)])


@router.get("/openapi.json")
async def document(request: Request) -> Response:
    """Return the document of the API."""
    return Response(_document(request.app), media_type="application/json")


@router.get("/docs")
async def page() -> Response:
    """Return the page that shows the document."""
    return HTMLResponse(_PAGE, headers=_HEADERS)


@router.get("/docs/start.js")
async def start() -> Response:
    """Return the start script; it is a file because the page's policy forbids inline scripts."""
    return Response(_START, media_type="text/javascript", headers=_HEADERS)


@router.get("/docs/{name}")
async def asset(name: str) -> Response:
    """Return a file of the page."""
    if name not in _FILES:
        raise HTTPException(404)
    return Response(_read(name), media_type=_FILES[name], headers=_HEADERS)


# One copy for all clients, however slowly they read.
@cache
def _read(name: str) -> bytes:
    return (_ASSETS / name).read_bytes()


@lru_cache(maxsize=1)
def _document(app: FastAPI) -> bytes:
    return bytes(JSONResponse(app.openapi()).body)
