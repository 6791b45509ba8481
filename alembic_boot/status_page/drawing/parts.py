"""HTML and SVG as text, in which all that came from outside is escaped; parts of many sections."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from alembic_boot.status_page.drawing.texts import Words
from alembic_boot.status_page.requests import revision_link

Attribute = str | int | float | bool | None

_VOID = frozenset({"meta", "link"})


class Html(str):
    """Text that is HTML: all that came from outside has been escaped."""

    __slots__ = ()


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


def section(key: str, words: Words, *content: str | None) -> Html:
    """Return a section with its heading."""
    heading = element("h2", words(key), id=f"{key}-heading")
    return element("section", heading, *content, class_=key, aria_labelledby=f"{key}-heading")


def empty_section(key: str, words: Words, found: object) -> Html:
    """Return a section that says that there is nothing, or that it could not be read (None)."""
    text = words("not_read" if found is None else f"no_{key}")
    return section(key, words, element("p", text, class_="muted"))


def scrolling(content: Html, label: str) -> Html:
    """Return what may be wider than the screen; the keyboard can scroll it."""
    return element("div", content, class_="scroll", tabindex=0, role="group", aria_label=label)


def facts(pairs: Mapping[str, str | None]) -> Html:
    """Return names with their values; a name without a value is left out."""
    items = (
        element("div", element("dt", name), element("dd", value))
        for name, value in pairs.items()
        if value
    )
    return element("dl", *items)


def table(
    words: Words, caption: str, columns: Sequence[str], rows: Iterable[Html], class_: str = ""
) -> Html:
    """Return a table by the keys of its caption and its columns."""
    heads = element("tr", *(element("th", words(it), scope="col") for it in columns))
    return element(
        "table",
        element("caption", words(caption), class_="unseen"),
        element("thead", heads),
        element("tbody", *rows),
        class_=class_ or None,
    )


def linked(id_: str, words: Words) -> Html:
    """Return the id of a revision as a link to its page."""
    return element("code", element("a", id_, href=revision_link(id_, words.language)))


def phase_of(phase: str | None, words: Words) -> str | None:
    """Return the word for the phase of a revision."""
    return None if phase is None else words.known(phase)


def as_it_is(text: str | None, name: str = "p", class_: str | None = None) -> Html | None:
    """Return a text of the report, which is English in each language."""
    return element(name, text, lang="en", class_=class_) if text else None


def code(text: str, label: str) -> Html:
    """Return lines of code, which the keyboard can scroll."""
    inner = element("code", text)
    return element("pre", inner, tabindex=0, role="group", aria_label=label, lang="en")
