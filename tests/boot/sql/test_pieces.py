"""A text is cut where PostgreSQL cuts it."""

import pytest

from alembic_boot.sql.pieces import begins_with, parts, pieces


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1 -- don't\n+ 2", ["SELECT", "1", "+", "2"]),
        ("a/* ' /* \" */ $$ */b", ["a", "b"]),
        ("a/* not closed", ["a"]),
        ("'it''s; --' b", ["'it''s; --'", "b"]),
        ("E'it\\'s', b", ["E'it\\'s'", ",", "b"]),
        ("'back\\' b", ["'back\\'", "b"]),
        ("'one'\n  'two' b", ["'one'\n  'two'", "b"]),
        ("$$ it's $x$ $$ b", ["$$ it's $x$ $$", "b"]),
        ("$x$ $$;$$ $x$;", ["$x$ $$;$$ $x$", ";"]),
        ("a$b$c $1", ["a$b$c", "$1"]),
        ('"a "" b"."C"', ['"a "" b"', ".", '"C"']),
        ("preis_in_€ Ä", ["preis_in_€", "Ä"]),
        ("1.5e10 0x1F", ["1.5e10", "0x1F"]),
        ("%(name)s", ["%", "(", "name", ")", "s"]),
        ("'not closed", ["'not closed"]),
        ("", []),
    ],
)
def test_pieces(text: str, expected: list[str]) -> None:
    """Comments are left out; a quoted text is one piece."""
    assert [it.text for it in pieces(text)] == expected


def test_parts() -> None:
    """A semicolon in a string, a comment, a body or parentheses ends no statement."""
    text = """
        INSERT INTO t VALUES ('a;b'); -- no; more
        DO $$ BEGIN x; END $$;;
        CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)
    """
    assert [it[0].text for it in parts(text)] == ["INSERT", "DO", "CREATE"]


def test_begins_with() -> None:
    """The first word counts, behind comments too."""
    assert begins_with("/* a /* b */ */ -- c\n commit;", "COMMIT", "END")
    assert not begins_with("'COMMIT'", "COMMIT")
    assert not begins_with("", "COMMIT")
