"""The files under /static: the reader's style, and the pictures of the example books.

Each file is read once, and all clients share one copy, however slowly they read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Response

_FOLDER = Path(__file__).parent / "static"

_KINDS: Mapping[str, str] = {
    ".css": "text/css",
    ".mp3": "audio/mpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}

_STYLE = "reader.css"

_FOR_AN_HOUR = "public, max-age=3600"
_FOR_EVER = "public, max-age=31536000, immutable"
"""For an address that names the content."""

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class StaticFile:
    """A file with the headers of its answer."""

    body: bytes
    kind: str
    headers: Mapping[str, str]


@cache
def static_files() -> Mapping[str, StaticFile]:
    """Return every file by its address."""
    paths = (it for it in _FOLDER.rglob("*") if it.suffix in _KINDS)
    return dict(map(_read, paths))


def style_address() -> str:
    """Return the address of the style, which changes with its content."""
    return next(it for it in static_files() if it.endswith(".css"))


@router.get("/static/{path:path}")
async def static_file(path: str, if_none_match: Annotated[str, Header()] = "") -> Response:
    """Return a file; nothing if the client has it already."""
    file = static_files().get(f"/static/{path}")
    if file is None:
        raise HTTPException(404)
    if file.headers["ETag"] in if_none_match:
        return Response(status_code=304, headers=file.headers)
    return Response(file.body, media_type=file.kind, headers=file.headers)


def _read(path: Path) -> tuple[str, StaticFile]:
    body = path.read_bytes()
    digest = sha256(body).hexdigest()[:16]
    name = path.relative_to(_FOLDER).as_posix()
    is_style = name == _STYLE
    if is_style:
        name = f"{path.stem}-{digest}{path.suffix}"
    headers = {
        "Cache-Control": _FOR_EVER if is_style else _FOR_AN_HOUR,
        "Content-Security-Policy": "default-src 'none'",
        "ETag": f'"{digest}"',
    }
    return f"/static/{name}", StaticFile(body, _KINDS[path.suffix], headers)
