"""SQL is taken apart as PostgreSQL takes it apart."""

import pytest

from alembic_boot.sql.scanner import Kind, statements, tokens, without_values
from tests.cluster import Cluster


def words(text: str) -> list[str]:
    return [it.text for it in tokens(text)]


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
def test_tokens(text: str, expected: list[str]) -> None:
    """Comments are no part of it; what is quoted is one piece, whatever is in it."""
    assert words(text) == expected


STRINGS = [
    "'it''s'",
    "'back\\slash'",
    "E'it\\'s\\t\\x41\\101\\u00e9\\\\'",
    "E'a'\n'\\x42'",
    "'one'\n  'two'",
    "$$it's$$",
    "$x$ $$ $x$",
    "U&'\\0041\\+00004211'",
]


@pytest.mark.parametrize("text", STRINGS)
def test_what_strings_say(cluster: Cluster, text: str) -> None:
    """It is what the server reads."""
    [token] = tokens(text)
    assert token.kind is Kind.STRING
    assert cluster.query(f"SELECT {text}") == [(token.value,)]


@pytest.mark.parametrize("text", ["Name", '"Name"', '"a""b"', 'U&"\\0041b"'])
def test_what_names_stand_for(cluster: Cluster, text: str) -> None:
    """It is what the catalogue has."""
    [token] = tokens(text)
    connection = cluster.connect()
    try:
        cursor = connection.cursor()
        cursor.execute(f"SELECT 1 AS {text}")
        assert cursor.description is not None
        assert cursor.description[0].name == token.name
    finally:
        connection.close()


def test_statements() -> None:
    """A semicolon in a string, a comment, a body or parentheses ends none."""
    text = """
        INSERT INTO t VALUES ('a;b'); -- no; more
        DO $$ BEGIN x; END $$;;
        CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)
    """
    assert [it[0].text for it in statements(text)] == ["INSERT", "DO", "CREATE"]


def test_without_values() -> None:
    """No secret is in a line about a statement."""
    text = "ALTER ROLE  a\n /* b */ PASSWORD 'secret'; SELECT f(E'se\\'cret', $$secret$$)"
    assert [without_values(it) for it in statements(text)] == [
        "ALTER ROLE a PASSWORD '…'",
        "SELECT f('…', '…')",
    ]
