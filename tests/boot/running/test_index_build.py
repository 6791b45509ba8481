"""What a statement builds, and what is done about what it finds."""

import pytest

from alembic_boot.running.index_build import (
    Found,
    IndexBuild,
    Reindex,
    Scope,
    Step,
    next_step,
    parse_build,
    parse_reindex,
)

BUILDS = {
    "CREATE INDEX CONCURRENTLY i ON t (a)": IndexBuild('"i"', '"t"', "(a)", False, False),
    "create unique index concurrently if not exists I on s.t using btree (a) where b > 0;": (
        IndexBuild('"i"', '"s"."t"', "using btree (a) where b > 0", True, True)
    ),
    '/* ours */ -- a word\nCREATE INDEX CONCURRENTLY "a "" b" ON ONLY "S"."T"(lower(a))\n': (
        IndexBuild('"a "" b"', '"S"."T"', "(lower(a))", False, False)
    ),
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS i -- by text\n ON s . t (a) -- all of it": (
        IndexBuild('"i"', '"s"."t"', "(a) -- all of it", False, True)
    ),
    "CREATE INDEX /* online /* it's */ */ CONCURRENTLY i ON t (a) WHERE b = ';' /* no */ AND c": (
        IndexBuild('"i"', '"t"', "(a) WHERE b = ';' /* no */ AND c", False, False)
    ),
    'CREATE INDEX CONCURRENTLY U&"d\\0061" ON "T" (a)': (
        IndexBuild('"da"', '"T"', "(a)", False, False)
    ),
    "CREATE INDEX CONCURRENTLY U&\"d!0061\" UESCAPE '!' ON t (a)": (
        IndexBuild('"da"', '"t"', "(a)", False, False)
    ),
    "CREATE INDEX CONCURRENTLY größe ON bücher (größe)": (
        IndexBuild('"größe"', '"bücher"', "(größe)", False, False)
    ),
}

OTHERS = [
    "CREATE INDEX CONCURRENTLY ON t (a)",
    "CREATE INDEX i ON t (a)",
    "DROP INDEX CONCURRENTLY i",
    "SELECT 'CREATE INDEX CONCURRENTLY i ON t (a)'",
    "CREATE INDEX CONCURRENTLY s.i ON t (a)",
    "CREATE INDEX CONCURRENTLY i ON t (a); SELECT 1",
    "CREATE INDEX CONCURRENTLY i ON t",
    "CREATE INDEX CONCURRENTLY i ON U&\"t!0061\" UESCAPE '!' (a)",
    "CREATE INDEX CONCURRENTLY i ON t (a) WHERE b > %(b)s",
    "CREATE INDEX CONCURRENTLY i",
    "",
]


@pytest.mark.parametrize("statement", BUILDS)
def test_parse(statement: str) -> None:
    """Each part is found as SQL writes it."""
    assert parse_build(statement) == BUILDS[statement]


@pytest.mark.parametrize("statement", OTHERS)
def test_parse_others(statement: str) -> None:
    """What has no name, or is something else, is left to PostgreSQL."""
    assert parse_build(statement) is None


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("REINDEX INDEX CONCURRENTLY t_pkey;", Reindex(Scope.INDEX, '"t_pkey"')),
        ('/* a */ reindex (verbose) table concurrently s."T"', Reindex(Scope.TABLE, '"s"."T"')),
        ("REINDEX (CONCURRENTLY, VERBOSE) SCHEMA s", Reindex(Scope.SCHEMA, '"s"')),
        ("REINDEX DATABASE CONCURRENTLY", Reindex(Scope.DATABASE, "")),
        (
            'REINDEX (TABLESPACE "fast", CONCURRENTLY) INDEX t_pkey',
            Reindex(Scope.INDEX, '"t_pkey"'),
        ),
        ("REINDEX INDEX t_pkey", None),
        ("REINDEX (CONCURRENTLY) SYSTEM db", None),
        ("SELECT 'REINDEX INDEX CONCURRENTLY t_pkey'", None),
        ("REINDEX (", None),
    ],
)
def test_parse_reindex(statement: str, expected: Reindex | None) -> None:
    """Only what builds indexes beside those that are there."""
    assert parse_reindex(statement) == expected


def test_on() -> None:
    """The same is said for another table, and waits for nobody."""
    build = IndexBuild('"I"', "t", "(a)", True, True)
    assert build.on("pg_temp.x") == 'CREATE UNIQUE INDEX "I" ON pg_temp.x (a)'


STEPS = {
    # found, is being built, says IF NOT EXISTS, is tried again
    (Found.NOTHING, False, False, False): Step.BUILD,
    (Found.NOTHING, True, False, False): Step.BUILD,
    (Found.INVALID, False, False, False): Step.DROP,
    (Found.INVALID, False, True, False): Step.DROP,
    (Found.INVALID, False, True, True): Step.DROP,
    (Found.INVALID, True, False, False): Step.WAIT,
    (Found.INVALID, True, True, True): Step.WAIT,
    (Found.VALID, True, False, False): Step.BUILD,
    (Found.VALID, True, True, False): Step.KEEP,
    (Found.VALID, True, False, True): Step.COMPARE,
    (Found.VALID, False, False, False): Step.BUILD,
    (Found.VALID, False, True, False): Step.KEEP,
    (Found.VALID, False, True, True): Step.KEEP,
    (Found.VALID, False, False, True): Step.COMPARE,
    (Found.OTHER, False, False, False): Step.BUILD,
    (Found.OTHER, False, False, True): Step.BUILD,
    (Found.OTHER, True, True, True): Step.BUILD,
}


@pytest.mark.parametrize("case", STEPS)
def test_next_step(case: tuple[Found, bool, bool, bool]) -> None:
    """What somebody builds is waited for, and what nobody does is dropped; no other is touched."""
    found, is_being_built, is_lenient, is_again = case
    step = next_step(found, is_being_built=is_being_built, is_lenient=is_lenient, is_again=is_again)
    assert step is STEPS[case]
