"""The status page, and the page of one revision, as HTML documents."""

from urllib.parse import quote

from alembic_boot.status_page.markup import Html, element, joined
from alembic_boot.status_page.report import Report, RevisionDetail

LANGUAGES = ("en", "ko")

_LONGEST_HEADER = 200


def page(report: Report, language: str) -> str:
    """Return the status page."""
    route = " + ".join(report.current) + " → " + (report.target or "?")
    runs = report.journal.rows if report.journal else ()
    body = joined(
        element("h1", report.condition.value),
        element("p", f"{report.state or ''} {route}"),
        element("p", report.reason),
        element("pre", report.command),
        element("ol", *(element("li", f"{it.name} {it.status}") for it in report.stages)),
        element("ul", *(element("li", f"{it.revision} {it.status}") for it in runs)),
        element("ul", *(_revision(it.id, language) for it in report.revisions or ())),
        element("ul", *(element("li", it.name) for it in report.tables or ())),
        element("ul", *(element("li", it.application) for it in report.sessions or ())),
        element("ul", *(element("li", it) for it in report.problems)),
    )
    return _document(f"{report.service}: {report.condition}", body, language)


def revision_page(detail: RevisionDetail, language: str) -> str:
    """Return the page of one revision: its source, its SQL and its runs."""
    revision = detail.revision
    body = joined(
        element("h1", f"{revision.id} {revision.title}"),
        element("pre", detail.source),
        element("pre", detail.sql),
    )
    return _document(revision.id, body, language)


def language_of(accept_language: str | None, asked: str | None) -> str:
    """Return the language to answer in: the one asked for, else the one the browser prefers."""
    if asked in LANGUAGES:
        return asked
    best, language = 0.0, LANGUAGES[0]
    for part in (accept_language or "")[:_LONGEST_HEADER].split(","):
        tag, _, weight = part.partition(";q=")
        name = tag.strip().lower().partition("-")[0]
        try:
            q = float(weight or 1)
        except ValueError:
            continue
        if name in LANGUAGES and q > best:
            best, language = q, name
    return language


def _revision(id_: str, language: str) -> Html:
    href = f"/_boot/revisions/{quote(id_, safe='')}?lang={language}"
    return element("li", element("a", id_, href=href))


def _document(title: str, body: Html, language: str) -> str:
    head = joined(element("meta", charset="utf-8"), element("title", title))
    return "<!doctype html>\n" + element(
        "html", element("head", head), element("body", element("main", body)), lang=language
    )
