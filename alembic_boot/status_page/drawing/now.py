"""The sections of what is now: the banner, the stages, the running revision, the connections."""

from datetime import datetime

from alembic_boot.situation import Build
from alembic_boot.status_page.drawing.icons import icon, tone
from alembic_boot.status_page.drawing.parts import (
    Html,
    as_it_is,
    code,
    element,
    empty_section,
    facts,
    joined,
    linked,
    scrolling,
    section,
    table,
)
from alembic_boot.status_page.drawing.texts import Words, written
from alembic_boot.status_page.report import (
    Report,
    RunningRevision,
    Session,
    Stage,
    StageStatus,
)


def banner(report: Report, words: Words) -> Html:
    """Return the state in words and colour, and what helps."""
    state = words(f"state_{report.state}") if report.state else words("state_unknown")
    reason = as_it_is(report.reason) or element("p", words(f"{report.condition}_sentence"))
    pairs = {
        words("schema"): state,
        words("route"): _route(report, words),
        words("elapsed"): None if report.elapsed is None else words.duration(report.elapsed),
    }
    helps = words("command")
    return element(
        "section",
        element("h1", icon(report.condition), words(report.condition), id="condition"),
        reason,
        facts(pairs),
        joined(element("p", helps, class_="label"), code(report.command, helps))
        if report.command
        else None,
        class_=f"banner {tone(report.condition)}",
        aria_labelledby="condition",
    )


def problems(report: Report, words: Words) -> Html | None:
    """Return what could not be read."""
    if not report.problems:
        return None
    items = (as_it_is(it, "li") for it in report.problems)
    return section("problems", words, element("ul", *items))


def stages(report: Report, words: Words) -> Html | None:
    """Return the stages of the start, with their seconds."""
    if not report.stages:
        return None
    return section("stages", words, element("ol", *(_stage(it, words) for it in report.stages)))


def running(it: RunningRevision | None, words: Words) -> Html | None:
    """Return the revision that runs: how far it is, and what is in its way."""
    if it is None:
        return None
    progress = words("n_of_m", number=it.number, of=it.of)
    pairs = {
        words("revision"): linked(it.id, words),
        words("elapsed"): words.duration(it.elapsed),
        words("blocked_by"): _blocker(it, words),
        words("tries"): str(it.tries),
        words("budget_left"): None if it.budget_left is None else words.duration(it.budget_left),
        words("index_build"): _index(it.index, words) if it.index else None,
    }
    statement = words("statement")
    return section(
        "running_now",
        words,
        element("p", element("strong", it.title), class_="title", lang="en"),
        element(
            "p",
            element("label", progress, for_="progress"),
            element("progress", progress, id="progress", value=it.number - 1, max=it.of),
            class_="meter",
        ),
        facts(pairs),
        joined(element("p", statement, class_="label"), code(it.statement, statement))
        if it.statement
        else None,
    )


def sessions_section(report: Report, words: Words) -> Html:
    """Return the starters and replicas that are connected."""
    if not report.sessions:
        return empty_section("sessions", words, report.sessions)
    columns = ("process", "role", "release_column", "host", "since", "connections")
    rows = (_session(it, report.at, words) for it in report.sessions)
    drawn = table(words, "sessions_caption", columns, rows, "cards")
    return section("sessions", words, scrolling(drawn, words("sessions_caption")))


def time(at: datetime) -> Html:
    """Return a point in time."""
    return element("time", written(at), datetime=at.isoformat())


def _route(report: Report, words: Words) -> Html:
    missing = words("nothing" if report.state else "state_unknown")
    current, target = ", ".join(report.current), report.target
    return joined(
        element("code", current) if current else missing,
        " → ",
        element("code", target) if target else missing,
    )


def _stage(stage: Stage, words: Words) -> Html:
    seconds = None if stage.seconds is None else words.duration(stage.seconds)
    return element(
        "li",
        icon(stage.status),
        element("strong", words.known(f"stage_{stage.name}")),
        element("span", words(stage.status), class_="word"),
        element("span", seconds, class_="number") if seconds else None,
        class_=tone(stage.status),
        aria_current="step" if stage.status == StageStatus.RUNNING else None,
    )


def _blocker(it: RunningRevision, words: Words) -> Html:
    if it.blocked_by is None:
        return element("span", words("not_blocked"))
    since = None
    if it.blocked_for is not None:
        since = words("blocked_for", duration=words.duration(it.blocked_for))
    who = element("span", it.blocked_by, lang="en")
    return element("strong", icon("degraded"), " ", who, " ", since, class_="warn")


def _index(index: Build, words: Words) -> Html:
    phase = element("span", index.phase, lang="en", id="index-phase")
    if index.total <= 0:
        return phase
    percent = f"{min(index.done / index.total, 1):.0%}"
    bar = element(
        "progress", percent, value=index.done, max=index.total, aria_label=words("index_build")
    )
    return joined(phase, " ", bar, " ", percent)


def _session(session: Session, now: datetime, words: Words) -> Html:
    cells = {
        "role": words(_role(session)),
        "release_column": session.release,
        "host": session.host,
        "since": _since(session.since, now, words) if session.since else None,
        "connections": str(session.count),
    }
    return element(
        "tr",
        element("th", session.application, scope="row"),
        *(element("td", value, data_label=words(key)) for key, value in cells.items()),
    )


def _since(since: datetime, now: datetime, words: Words) -> Html:
    age = words.duration((now - since).total_seconds())
    return joined(time(since), element("span", age, class_="muted"))


def _role(session: Session) -> str:
    """Return what a session belongs to: only our own processes name their release."""
    if session.is_starter:
        return "starter"
    return "replica" if session.release else "other"
