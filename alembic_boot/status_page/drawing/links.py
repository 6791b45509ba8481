"""The addresses that the pages link to."""

from urllib.parse import quote

ROOT = "/_boot"
EVENTS = f"{ROOT}/events"
AS_JSON = f"{ROOT}.json"


def page_link(language: str, journal: int = 1) -> str:
    """Return the address of the page in a language, with a page of the journal."""
    return f"{ROOT}?journal={journal}&lang={language}"


def revision_link(id_: str, language: str) -> str:
    """Return the address of a revision's page."""
    return f"{ROOT}/revisions/{quote(id_, safe='')}?lang={language}"
