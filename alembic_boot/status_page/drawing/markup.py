"""HTML and SVG as text: each text that is not HTML already is escaped."""

from html import escape


class Html(str):
    """Text that is HTML: all that came from outside has been escaped."""

    __slots__ = ()


Attribute = str | int | float | bool | None


def element(name: str, /, *content: str | None, **attributes: Attribute) -> Html:
    """Return an element. A plain `str` is escaped; None is left out, and so is a False attribute.

    `class_="a"` is the attribute `class`, and `aria_label` is `aria-label`.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    inner = joined(*content)
    return Html(f"<{name}{written}>" if name in _VOID else f"<{name}{written}>{inner}</{name}>")


def joined(*content: str | None) -> Html:
    """Return the pieces one after the other, escaped unless they are HTML."""
    return Html("".join(it if isinstance(it, Html) else escape(it) for it in content if it))


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'


_VOID = frozenset({"meta", "link"})
