"""A shape and a colour for each status, so that colour alone never tells it."""

from alembic_boot.status_page.drawing.parts import Html, element

_CIRCLE = "M-8 0a8 8 0 1 0 16 0a8 8 0 1 0-16 0z"
_OCTAGON = "M-3.5-8.5h7l5 5v7l-5 5h-7l-5-5v-7z"
_TRIANGLE = "M0-8.5l9.5 16.5h-19z"
_DIAMOND = "M0-9.5l9.5 9.5-9.5 9.5-9.5-9.5z"
_CHECK = "M-3.6.4l2.5 2.5 4.8-5.4"
_CROSS = "M-3-3l6 6m0-6l-6 6"
_BANG = "M0-2.8v4.6m0 3v.1"
_QUESTION = "M-2.2-2.4a2.2 2.2 0 1 1 3.2 2q-1 .6-1 1.6m0 2.8v.1"
_DOWN = "M0-3.6v7.2m-3-3l3 3 3-3"
_DOT = "M-1.6 0a1.6 1.6 0 1 0 3.2 0a1.6 1.6 0 1 0-3.2 0"
_NONE = ""

_LOOKS = {
    "good": (_CIRCLE, _CHECK),
    "busy": (_CIRCLE, _DOT),
    "calm": (_CIRCLE, _NONE),
    "warn": (_TRIANGLE, _BANG),
    "bad": (_OCTAGON, _CROSS),
    "odd": (_DIAMOND, _QUESTION),
    "past": (_CIRCLE, _DOWN),
}

TONES = {
    **dict.fromkeys(("ready", "done", "applied"), "good"),
    **dict.fromkeys(("booting", "running"), "busy"),
    **dict.fromkeys(("waiting", "pending"), "calm"),
    **dict.fromkeys(("degraded", "edited", "differs"), "warn"),
    **dict.fromkeys(("unavailable", "failed", "died"), "bad"),
    "beyond": "past",
    "unknown": "odd",
}
"""The look of each status."""


def tone(status: str) -> str:
    """Return the name of a status's look; its class has the colour."""
    return TONES.get(status, "odd")


def shape(status: str, x: float = 0, y: float = 0) -> Html:
    """Return the shape of a status, to stand within a picture."""
    outline, mark = _LOOKS[tone(status)]
    return element(
        "g",
        element("path", class_="shape", d=outline),
        element("path", class_="mark", d=mark) if mark else None,
        class_=f"icon {tone(status)}",
        transform=f"translate({x:g} {y:g})" if x or y else None,
    )


def icon(status: str) -> Html:
    """Return the shape of a status, to stand within a text that says the same."""
    return element("svg", shape(status), viewBox="-10 -10 20 20", class_="i", aria_hidden="true")
