"""The section of the history: the journal's rows, with repeated failures as one."""

from collections.abc import Sequence
from itertools import groupby

from alembic_boot.status_page.drawing.icons import icon, tone
from alembic_boot.status_page.drawing.now import time
from alembic_boot.status_page.drawing.parts import (
    Html,
    as_it_is,
    element,
    empty_section,
    joined,
    linked,
    phase_of,
    section,
    table,
)
from alembic_boot.status_page.drawing.texts import Words, shortened
from alembic_boot.status_page.report import JournalPage, JournalRow, Report
from alembic_boot.status_page.requests import page_link

_FAILED = ("failed", "died")
_COLUMNS = (
    "revision",
    "result",
    "started",
    "duration",
    "phase",
    "direction",
    "host",
    "release_column",
)


def history_section(report: Report, words: Words) -> Html:
    """Return the section of the history."""
    journal = report.journal
    if journal is None or (not journal.rows and journal.number == 1):
        return empty_section("history", words, journal)
    return section("history", words, runs_table(journal.rows, words), _pages(journal, words))


def runs_table(rows: Sequence[JournalRow], words: Words) -> Html:
    """Return runs of revisions as a table."""
    longest = max((it.seconds or 0 for it in rows), default=0)
    bodies = (_rows(it, longest, words) for it in _folded(rows))
    return table(words, "history_caption", _COLUMNS, bodies, "cards")


def _folded(rows: Sequence[JournalRow]) -> list[list[JournalRow]]:
    """Return the rows; failures of one revision that follow each other are one."""

    def same(numbered: tuple[int, JournalRow]) -> object:
        number, row = numbered
        return (row.revision, row.direction) if row.status in _FAILED else number

    return [[row for _, row in group] for _, group in groupby(enumerate(rows), key=same)]


def _rows(group: Sequence[JournalRow], longest: float, words: Words) -> Html:
    row = group[0]
    result = element(
        "span",
        icon(row.status),
        " ",
        words.known(row.status),
        f" × {len(group)}" if len(group) > 1 else None,  # noqa: RUF001
        class_=tone(row.status),
    )
    cells = {
        "result": result,
        "started": time(row.started_at) if row.started_at else None,
        "duration": _duration(row.seconds, longest, words),
        "phase": phase_of(row.phase, words),
        "direction": words.known(row.direction),
        "host": element("span", row.host, class_="host") if row.host else None,
        "release_column": row.release,
    }
    name = element(
        "th", linked(row.revision, words), element("span", row.title, lang="en"), scope="row"
    )
    tds = (element("td", value, data_label=words(key)) for key, value in cells.items())
    return joined(element("tr", name, *tds), _failures(group, words))


def _duration(seconds: float | None, longest: float, words: Words) -> Html | None:
    if seconds is None:
        return None
    share = seconds / longest if longest else 0
    bar = element(
        "svg",
        element("rect", class_="rail", width=100, height=6, rx=3),
        element("rect", class_="fill", width=f"{max(100 * share, 1):.0f}", height=6, rx=3),
        viewBox="0 0 100 6",
        class_="bar",
        aria_hidden="true",
    )
    return joined(element("span", words.duration(seconds)), bar)


def _failures(group: Sequence[JournalRow], words: Words) -> Html | None:
    row = group[0]
    if row.status not in _FAILED:
        return None
    first = next((it.error for it in group if it.error), "")
    line = shortened((first or "").strip().partition("\n")[0], 90)
    title = words("failures", count=len(group)) if len(group) > 1 else words("failure")
    shown = joined(": ", as_it_is(line, "span")) if line else None
    started = row.started_at.isoformat() if row.started_at else ""
    opened = element(
        "details",
        element("summary", title, shown),
        *(
            _failure(error, list(rows), words)
            for error, rows in groupby(group, lambda it: it.error)
        ),
        id=f"failure-{row.revision}-{started}",
    )
    return element("tr", element("td", opened, colspan=len(_COLUMNS)), class_="failure")


def _failure(error: str | None, rows: Sequence[JournalRow], words: Words) -> Html:
    """Return an error, and the times at which it stopped a run."""
    times = (joined(time(it.started_at), " ") for it in rows if it.started_at)
    return joined(
        element("p", *times, class_="muted"),
        as_it_is(error, "pre") or element("p", words("no_error")),
    )


def _pages(journal: JournalPage, words: Words) -> Html | None:
    if journal.number == 1 and not journal.has_older:
        return None
    newer = page_link(words.language, journal.number - 1)
    older = page_link(words.language, journal.number + 1)
    return element(
        "nav",
        element("a", words("newer"), href=newer, rel="prev") if journal.number > 1 else None,
        element("span", words("page", number=journal.number), aria_current="page"),
        element("a", words("older"), href=older, rel="next") if journal.has_older else None,
        aria_label=words("pages"),
    )
