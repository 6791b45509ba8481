"""Reports of the status page, one for each state that a person may meet."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from alembic_boot.situation import Build
from alembic_boot.status_page.report import (
    Column,
    Condition,
    ForeignKey,
    JournalPage,
    JournalRow,
    Report,
    Revision,
    RevisionDetail,
    RevisionStatus,
    RunningRevision,
    Session,
    Stage,
    StageStatus,
    Table,
)

AT = datetime(2026, 12, 1, 6, 35, 19, tzinfo=UTC)

_TITLES = {
    "001_users": "create users",
    "002_books": "create books",
    "003_pages": "books have pages",
    "004_voices": "voices read books aloud",
    "005_sharing": "books can be shared with other accounts",
    "006_tags": "books have tags",
    "007_search": "search in titles and texts, with an index that is built concurrently",
    "008_narrators": "narrators, whose voices may be shared",
}


def _history(
    *, applied: int, next_: RevisionStatus = RevisionStatus.PENDING
) -> tuple[Revision, ...]:
    """Return a history with a branch at 003 and a merge at 006."""
    below = {
        "001_users": (),
        "004_voices": ("003_pages",),
        "005_sharing": ("003_pages",),
        "006_tags": ("004_voices", "005_sharing"),
    }
    ids = list(_TITLES)
    return tuple(
        Revision(
            id_,
            title,
            below.get(id_, (ids[number - 1],)),
            RevisionStatus.APPLIED
            if number < applied
            else next_
            if number == applied
            else RevisionStatus.PENDING,
            "contract" if number in (4, 6) else "expand",
            is_head=number == len(ids) - 1,
        )
        for number, (id_, title) in enumerate(_TITLES.items())
    )


def _run(
    number: int, status: str = "applied", error: str | None = None, ago: int = 0
) -> JournalRow:
    id_ = list(_TITLES)[number]
    return JournalRow(
        id_,
        _TITLES[id_],
        "upgrade",
        "contract" if number in (4, 6) else "expand",
        status,
        AT - timedelta(hours=40 - 4 * number, minutes=ago),
        [0.04, 0.31, 2.4, 0.12, 75.0, 8.2, 431.0, 0.9][number],
        f"moriai-backend-6c9f7d8b5-x{number}",
        f"1.{number + 2}.0",
        error,
    )


_ERROR = (
    "sqlalchemy.exc.IntegrityError: (psycopg2.errors.UniqueViolation) cannot create unique index "
    '"uq_tags_name"\nDETAIL:  Key (name)=(<b>dragons & knights</b>) is duplicated.'
)


def _table(name: str, columns: str, *references: tuple[str, str], differs: bool = False) -> Table:
    made = []
    for word in columns.split():
        column, _, type_ = word.partition(":")
        type_ = type_.replace("_", " ")
        made.append(Column(column, type_.rstrip("?"), type_.endswith("?"), column == "id"))
    keys = tuple(ForeignKey((column,), to, ("id",)) for column, to in references)
    return Table(name, tuple(made), keys, differs)


_TABLES = (
    _table("users", "id:integer email:character_varying(320) name:text created_at:timestamptz"),
    _table(
        "books",
        "id:integer owner_id:integer title:text summary:text? price:numeric(10,2)? at:date",
        ("owner_id", "users"),
    ),
    _table("pages", "id:bigint book_id:integer number:integer text:text", ("book_id", "books")),
    _table("voices", "id:integer owner_id:integer name:text sample:bytea?", ("owner_id", "users")),
    _table(
        "readings",
        "id:bigint page_id:bigint voice_id:integer seconds:real",
        ("page_id", "pages"),
        ("voice_id", "voices"),
    ),
    _table(
        "shares",
        "id:integer book_id:integer user_id:integer by_id:integer?",
        ("book_id", "books"),
        ("user_id", "users"),
        ("by_id", "users"),
    ),
    _table("tags", "id:integer parent_id:integer? name:text", ("parent_id", "tags"), differs=True),
    _table("audit.events", "id:bigint at:timestamptz payload:jsonb"),
)

_SESSIONS = (
    Session("moriai-backend", False, "1.9.0", "10.1.4.17", AT - timedelta(hours=3, minutes=12), 5),
    Session("moriai-backend", False, "1.9.0", "10.1.4.18", AT - timedelta(hours=3, minutes=11), 4),
    Session("alembic-boot", True, "1.10.0", "10.1.4.21", AT - timedelta(seconds=42), 2),
)

_STAGES = (
    Stage("wait", StageStatus.DONE, 0.42),
    Stage("migrate", StageStatus.DONE, 3.1),
    Stage("seed", StageStatus.DONE, 0.08),
    Stage("serve", StageStatus.DONE, 0.61),
)

READY = Report(
    at=AT,
    service="MoriAI",
    release="1.9.0",
    condition=Condition.READY,
    state="current",
    current=("008_narrators",),
    target="008_narrators",
    stages=_STAGES,
    journal=JournalPage(tuple(_run(it) for it in range(7, -1, -1)), has_older=True),
    revisions=_history(applied=8),
    tables=tuple(replace(it, differs=False) for it in _TABLES),
    sessions=_SESSIONS[:2],
)

_OLDER = tuple(_run(it) for it in range(4, -1, -1))

_BEHIND = replace(
    READY,
    condition=Condition.UNAVAILABLE,
    state="behind",
    current=("005_sharing", "004_voices"),
    journal=JournalPage(_OLDER),
    revisions=_history(applied=5),
)

_FAILURES = (
    _run(5, "failed", _ERROR),
    _run(5, "failed", _ERROR, ago=3),
    _run(5, "died", None, ago=9),
)

BLOCKED = replace(
    _BEHIND,
    condition=Condition.BOOTING,
    reason="Migration 006_tags is blocked by another session; the start retries.",
    elapsed=48.6,
    stages=(
        Stage("wait", StageStatus.DONE, 0.42),
        Stage("migrate", StageStatus.RUNNING, 48.2),
        Stage("seed", StageStatus.WAITING),
        Stage("serve", StageStatus.WAITING),
    ),
    running=RunningRevision(
        "006_tags",
        "books have tags",
        2,
        4,
        41.3,
        "ALTER TABLE books ADD COLUMN tags text[] NOT NULL DEFAULT '{}'",
        "PID 4711 (application reports, idle in transaction)",
        37.2,
        4,
        78.7,
    ),
    revisions=_history(applied=5, next_=RevisionStatus.RUNNING),
    sessions=_SESSIONS,
)

REPORTS: dict[str, Report] = {
    "ready": READY,
    "blocked": BLOCKED,
    "index": replace(
        BLOCKED,
        reason=None,
        current=("006_tags",),
        running=RunningRevision(
            "007_search",
            _TITLES["007_search"],
            3,
            4,
            128.0,
            "CREATE INDEX CONCURRENTLY ix_books_title ON books USING gin (title gin_trgm_ops)",
            index=Build("ix_books_title", "building index: scanning table", 61_234, 98_000),
        ),
        revisions=_history(applied=6, next_=RevisionStatus.RUNNING),
    ),
    "degraded": replace(
        READY,
        condition=Condition.DEGRADED,
        reason="Requests to 2 statements fail since 06:31:02 UTC: undefined_column.",
        command="alembic-boot check",
        tables=_TABLES,
        differences=("Table tags: column colour is in the models, but not in the schema.",),
    ),
    "failed": replace(
        _BEHIND,
        reason="Migration 006_tags failed: could not create unique index uq_tags_name.",
        command="alembic-boot migrate",
        stages=(
            Stage("wait", StageStatus.DONE, 0.42),
            Stage("migrate", StageStatus.FAILED, 8.3),
            Stage("seed", StageStatus.WAITING),
            Stage("serve", StageStatus.DONE, 0.6),
        ),
        journal=JournalPage((*_FAILURES, *_OLDER)),
        revisions=_history(applied=5, next_=RevisionStatus.FAILED),
        tables=_TABLES,
        differences=(
            "Table tags: column parent_id is not in the models.",
            "Table books: index ix_books_title is missing.",
        ),
    ),
    "unmanaged": replace(
        _BEHIND,
        state="unmanaged",
        current=(),
        reason="The database has tables (users, books and 6 more) but no revision recorded.",
        command="alembic-boot adopt --dry-run",
        journal=JournalPage(),
        revisions=_history(applied=0),
    ),
    "ahead": replace(
        READY,
        condition=Condition.DEGRADED,
        state="ahead",
        current=("009_prices",),
        reason="The database is at 009_prices, ahead of this release, whose head is 008_narrators.",
        revisions=(
            *_history(applied=8),
            Revision("009_prices", "", ("008_narrators",), RevisionStatus.UNKNOWN, "expand"),
        ),
    ),
    "diverged": replace(
        _BEHIND,
        state="diverged",
        current=("f00dcafe1234",),
        reason="f00dcafe1234 is not in this release's history, whose head is 008_narrators.",
        revisions=(
            *_history(applied=3),
            Revision("f00dcafe1234", "", ("003_pages",), RevisionStatus.UNKNOWN),
        ),
    ),
    "past": replace(
        _BEHIND,
        state="past",
        current=("008_narrators",),
        target="006_tags",
        reason="The database is at 008_narrators, beyond the target 006_tags.",
        command="alembic-boot rollback --target 006_tags",
        revisions=tuple(
            replace(it, status=RevisionStatus.BEYOND) if it.id > "007" else it
            for it in _history(applied=8)
        ),
    ),
    "edited": replace(
        _BEHIND,
        reason="The file of revision 003_pages was edited after it was applied.",
        revisions=tuple(
            replace(it, status=RevisionStatus.EDITED) if it.id == "003_pages" else it
            for it in _history(applied=5)
        ),
    ),
    "broken": replace(
        _BEHIND,
        state=None,
        target=None,
        reason="The history has 2 heads: 007_search and 008_narrators.",
        command='alembic-boot merge --message "both"',
        revisions=None,
        problems=("The revisions cannot be read: The history has 2 heads.",),
    ),
    "away": Report(
        at=AT,
        service="MoriAI",
        release="1.9.0",
        condition=Condition.UNAVAILABLE,
        target="008_narrators",
        reason="The database does not answer. Check that it runs and can be reached.",
        stages=_STAGES,
        revisions=_history(applied=0),
        problems=("The journal, the tables and the sessions: the database does not answer.",),
    ),
}

LONG = replace(
    READY,
    current=("r0249",),
    target="r0259",
    state="behind",
    revisions=tuple(
        Revision(
            f"r{number:04}",
            f"step {number} of a long history",
            (f"r{number - 1:04}",) if number else (),
            RevisionStatus.APPLIED if number < 250 else RevisionStatus.PENDING,
            is_head=number == 259,
        )
        for number in range(260)
    ),
    tables=tuple(
        _table(
            f"table_{number:02}",
            "id:integer other_id:integer? "
            + " ".join(f"column_{it}:text" for it in range(number % 18)),
            *([("other_id", f"table_{number * 7 % 31:02}")] if number % 3 else []),
        )
        for number in range(70)
    ),
)

DETAIL = RevisionDetail(
    _history(applied=8)[6],
    "alembic/versions/007_search.py",
    '"""search in titles and texts"""\n\nrevision = "007_search"\ndown_revision = "006_tags"\n'
    'phase = "contract"\n\n\ndef upgrade():\n    run("SELECT \'<script>alert(1)</script>\'")\n',
    "BEGIN;\n\nSELECT '<script>alert(1)</script>';\n\nCOMMIT;\n",
    (_run(6), _run(6, "failed", _ERROR, ago=30)),
)
