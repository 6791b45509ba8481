"""The style and the script of the status page, and the policy that allows only these two."""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path


def _source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


_DRAWING = Path(__file__).with_name("drawing")

STYLE = (_DRAWING / "page.css").read_text(encoding="utf-8")

SCRIPT = (_DRAWING / "page.js").read_text(encoding="utf-8")

STYLE_HASH = _source(STYLE)
"""A source of a Content-Security-Policy."""

SCRIPT_HASH = _source(SCRIPT)
"""A source of a Content-Security-Policy."""

POLICY = (
    f"default-src 'none'; style-src {STYLE_HASH}; script-src {SCRIPT_HASH}; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of the page."""
