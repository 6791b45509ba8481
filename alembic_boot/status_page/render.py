"""The status page, and the page of one revision, as HTML documents."""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from alembic_boot.status_page.drawing.icons import icon, tone
from alembic_boot.status_page.drawing.journal import history_section, runs_table
from alembic_boot.status_page.drawing.now import (
    banner,
    problems,
    running,
    sessions_section,
    stages,
    time,
)
from alembic_boot.status_page.drawing.parts import (
    Html,
    code,
    element,
    facts,
    joined,
    linked,
    phase_of,
    section,
)
from alembic_boot.status_page.drawing.revisions import revisions_section
from alembic_boot.status_page.drawing.tables import tables_section
from alembic_boot.status_page.drawing.texts import LANGUAGES, Words
from alembic_boot.status_page.report import Condition, Report, RevisionDetail
from alembic_boot.status_page.requests import DATA, EVENTS, page_link, revision_link


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

_LONGEST_HEADER = 200


def page(report: Report, language: str) -> str:
    """Return the status page."""
    words = Words(language)
    is_live = report.condition == Condition.BOOTING or report.running is not None
    number = report.journal.number if report.journal else 1
    content = joined(
        banner(report, words),
        problems(report, words),
        stages(report, words),
        running(report.running, words),
        element(
            "div",
            element("div", history_section(report, words), sessions_section(report, words)),
            revisions_section(report, words),
            class_="columns",
        ),
        tables_section(report, words),
    )
    release = words("release", release=report.release) if report.release else None
    header = joined(
        element("strong", report.service),
        element("span", release) if release else None,
        element("span", _as_of(report, words)),
        *(element("a", it.name, href=it.address, lang="en") for it in report.links),
        _languages(words, {it: page_link(it, number) for it in LANGUAGES}),
        element("a", words("as_json"), href=DATA),
    )
    condition = words(report.condition)
    title = words("title", service=report.service, condition=condition)
    return _document(title, header, content, words, tone(report.condition), is_live=is_live)


def revision_page(detail: RevisionDetail, language: str) -> str:
    """Return the page of one revision: its source, its SQL and its runs."""
    words = Words(language)
    revision = detail.revision
    pairs = {
        words("status"): element(
            "span", icon(revision.status), " ", words(revision.status), class_=tone(revision.status)
        ),
        words("phase"): phase_of(revision.phase, words),
        words("below"): joined(*(joined(linked(it, words), " ") for it in revision.down)),
        words("labels"): ", ".join(revision.labels),
        words("file"): element("code", detail.path) if detail.path else None,
    }
    runs = runs_table(detail.runs, words) if detail.runs else words("no_history")
    content = joined(
        element(
            "section",
            element("h1", revision.id, id="revision"),
            element("p", revision.title, class_="title", lang="en"),
            facts(pairs),
            class_="banner",
            aria_labelledby="revision",
        ),
        section("source", words, _code(detail.source, "source", "no_source", words)),
        section("sql", words, _code(detail.sql, "sql", "no_sql", words)),
        section("runs", words, runs),
    )
    header = joined(
        element("a", f"← {words('back')}", href=page_link(language)),
        _languages(words, {it: revision_link(revision.id, it) for it in LANGUAGES}),
    )
    return _document(revision.id, header, content, words, tone(revision.status), is_live=False)


def language_of(accept_language: str | None, asked: str | None) -> str:
    """Return the language to answer in: the one asked for, else the one the browser prefers."""
    if asked in LANGUAGES:
        return asked
    weights = dict(_preferred(part) for part in reversed(_parts(accept_language)))
    known = {name: weight for name, weight in weights.items() if name in LANGUAGES and weight > 0}
    return max(reversed(known), key=lambda it: known[it], default="en")


def _parts(accept_language: str | None) -> list[str]:
    return (accept_language or "")[:_LONGEST_HEADER].split(",")


def _preferred(part: str) -> tuple[str, float]:
    """Return the language of a part of the header, without its region, and its weight."""
    tag, _, weight = part.partition(";")
    name = tag.strip().lower().partition("-")[0]
    try:
        return name, float(weight.strip().removeprefix("q=") or 1)
    except ValueError:
        return name, 0


def _document(  # noqa: PLR0913  (the parts of a document)
    title: str, header: Html, content: Html, words: Words, look: str, *, is_live: bool
) -> str:
    refresh = element("meta", http_equiv="refresh", content="2")
    head = joined(
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="robots", content="noindex"),
        element("title", title),
        element("link", rel="icon", href="data:,"),
        element("style", Html(STYLE)),
        element("noscript", refresh) if is_live else None,
    )
    body = joined(
        element("a", words("skip"), href="#main", class_="skip"),
        element("header", header),
        element("p", words("lost"), id="lost", role="status", hidden=True),
        element("p", id="news", role="status", class_="unseen"),
        element(
            "main",
            content,
            id="main",
            tabindex=-1,
            class_=look,
            data_events=EVENTS if is_live else None,
        ),
        element("script", Html(SCRIPT)),
    )
    html = element("html", element("head", head), element("body", body), lang=words.language)
    return f"<!doctype html>\n{html}\n"


def _as_of(report: Report, words: Words) -> Html:
    before, _, after = words("as_of", at="\0").partition("\0")
    return joined(before, time(report.at), after)


def _languages(words: Words, links: dict[str, str]) -> Html:
    items = (
        element("a", LANGUAGES[it], href=link, lang=it, hreflang=it, aria_current=_now(it, words))
        for it, link in links.items()
    )
    return element("nav", *items, aria_label=words("language"))


def _now(language: str, words: Words) -> str | None:
    return "true" if language == words.language else None


def _code(text: str | None, label: str, without: str, words: Words) -> Html:
    return code(text, words(label)) if text else element("p", words(without), class_="muted")
