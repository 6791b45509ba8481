"""A PostgreSQL URL: what is taken, what is refused, and that its password shows nowhere."""

import traceback
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import parse_dsn
from sqlalchemy import make_url

from backend.boot.errors import ConfigurationError
from backend.boot.postgres.urls import DatabaseUrl, build_database_url, parse_database_url

ADVICE = (
    "Write it as postgresql://user:password@host:5432/database, with special characters "
    "percent-encoded (% is %25, @ is %40, / is %2F)."
)


ANY = {"target_session_attrs": "any"}
PRIMARY = {"target_session_attrs": "primary"}
DB_OF_PRIMARY = {"dbname": "db", **PRIMARY}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "postgresql://me:pw@h:5433/db",
            {"user": "me", "password": "pw", "host": "h", "port": "5433", "dbname": "db"},
        ),
        ("postgres://h/db", {"host": "h", "dbname": "db"}),
        ("postgresql+psycopg2://h/db", {"host": "h", "dbname": "db"}),
        (
            "postgresql+asyncpg://h/db?ssl=require",
            {"host": "h", "dbname": "db", "sslmode": "require"},
        ),
        (
            "postgresql+asyncpg://h/db?prepared_statement_cache_size=0",
            {"host": "h", "dbname": "db"},
        ),
        (
            "postgresql+asyncpg://u@/db?host=/run/pg&x=1",
            {"user": "u", "host": "/run/pg", "dbname": "db"},
        ),
        ("postgresql:///db?host=/run/pg", {"host": "/run/pg", "dbname": "db"}),
        ("postgresql:///db", {"dbname": "db"}),
        ("postgresql://?dbname=db&host=h", {"dbname": "db", "host": "h"}),
        (
            "postgresql://u:p%25%40%2F@h/a%20b",
            {"user": "u", "password": "p%@/", "host": "h", "dbname": "a b"},
        ),
        (
            "postgresql://u:p?#:w@h/db",
            {"user": "u", "password": "p?#:w", "host": "h", "dbname": "db"},
        ),
        ("postgresql://[::1]:5433/db", {"host": "::1", "port": "5433", "dbname": "db"}),
        ("postgresql://h/db?target_session_attrs=any", {"host": "h", "dbname": "db", **ANY}),
        ("postgresql://a:1,b:2/db", {"host": "a,b", "port": "1,2", "dbname": "db", **PRIMARY}),
        ("postgresql://a,b/db", {"host": "a,b", "port": "5432,5432", "dbname": "db", **PRIMARY}),
        ("postgresql:///db?host=a,b&port=9", {"host": "a,b", "port": "9,9", **DB_OF_PRIMARY}),
        ("postgresql:///db?host=a:1&host=b:2", {"host": "a,b", "port": "1,2", **DB_OF_PRIMARY}),
        (
            "postgresql:///db?host=%5B::1%5D:1&host=/run/pg",
            {"host": "::1,/run/pg", "port": "1,5432", **DB_OF_PRIMARY},
        ),
        ("postgresql:///db?host=a:1", {"host": "a", "port": "1", "dbname": "db"}),
        (
            "postgresql+asyncpg:///db?host=a:1&host=b:2&ssl=require",
            {"host": "a,b", "port": "1,2", "sslmode": "require", **DB_OF_PRIMARY},
        ),
        (
            "postgresql://a,b/db?target_session_attrs=read-write",
            {
                "host": "a,b",
                "port": "5432,5432",
                "dbname": "db",
                "target_session_attrs": "read-write",
            },
        ),
        (
            "postgresql://h/db?sslmode=require&application_name=a%40b",
            {"host": "h", "dbname": "db", "sslmode": "require", "application_name": "a@b"},
        ),
    ],
)
def test_what_is_taken(text: str, expected: dict[str, str]) -> None:
    """A URL is read as libpq reads it; another driver's own options are left to that driver."""
    assert expected == parse_database_url(text).parameters


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is not a PostgreSQL URL."),
        ("db.example:5432/db", "is not a PostgreSQL URL."),
        ("mysql://h/db", "is not a PostgreSQL URL."),
        ("postgresqlx://h/db", "is not a PostgreSQL URL."),
        ("host=h dbname=db", "is not a PostgreSQL URL."),
        ("postgresql:/h/db", "is not a PostgreSQL URL."),
        ("postgresql://u:100%@h/db", "is malformed."),
        ("postgresql://u:a%00b@h/db", "is malformed."),
        ("postgresql://u:a%ffb@h/db", "is malformed."),
        ("postgresql://u:a\udcff@h/db", "is malformed."),
        ("postgresql://u:a@b@h/db", "is malformed."),
        ("postgresql://u:a/b@h/db", "is malformed."),
        ("postgresql://h/d@b", "is malformed."),
        ("postgresql://[::1/db", "is malformed."),
        ("postgresql://h/db?ssl=require", "is malformed."),
        ("postgresql+psycopg2://h/db?nonsense=1", "is malformed."),
        ("postgresql+asyncpg://[::1/db?x=1", "is malformed."),
        ("postgresql:///db?host=a:1&host=b:x", "is malformed."),
        ("postgresql:///db?host=a:1&host=::1", "is malformed."),
        ("postgresql:///db?host=a:1&host=b&port=2", "is malformed."),
        ("postgresql://", "names no database."),
        ("postgresql://h", "names no database."),
        ("postgresql://h/", "names no database."),
        ("postgresql://h/?dbname=", "names no database."),
        ("postgresql://h:x/db", "has a port that is not a number to 65535."),
        ("postgresql://h:0/db", "has a port that is not a number to 65535."),
        ("postgresql://h:65536/db", "has a port that is not a number to 65535."),
        ("postgresql://h:-1/db", "has a port that is not a number to 65535."),
        ("postgresql://h:5432a/db", "has a port that is not a number to 65535."),
        ("postgresql://h:\N{FULLWIDTH DIGIT ONE}/db", "has a port that is not a number to 65535."),
        ("postgresql://a:1,b:x/db", "has a port that is not a number to 65535."),
    ],
)
def test_what_is_refused(text: str, expected: str) -> None:
    """A URL that means nothing is one sentence with the setting's name, and how to write it."""
    with pytest.raises(ConfigurationError) as caught:
        parse_database_url(text, "SOME_URL")
    assert (f"SOME_URL {expected} {ADVICE}", 2) == (str(caught.value), caught.value.exit_status)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://a,b/db?target_session_attrs=any",
        "postgresql://a,b/db?target_session_attrs=standby",
        "postgresql://h/db?target_session_attrs=prefer-standby",
        "postgresql+asyncpg://h/db?target_session_attrs=read-only&ssl=require",
    ],
)
def test_no_other_server_than_the_primary(text: str) -> None:
    """A URL that asks for a standby, or for whichever host answers, is refused."""
    with pytest.raises(ConfigurationError) as caught:
        parse_database_url(text, "SOME_URL")
    assert str(caught.value) == (
        "SOME_URL asks for another server than the primary (target_session_attrs). "
        "Leave that out: of several hosts the one that takes writes is found."
    )


@pytest.mark.parametrize("text", ["postgresql://a,b,c/db?port=1,2", "postgresql://h/db?port=1,2"])
def test_a_port_for_each_host_or_one_for_all(text: str) -> None:
    """Ports that could not be told apart are refused."""
    with pytest.raises(ConfigurationError) as caught:
        parse_database_url(text, "SOME_URL")
    assert str(caught.value) == (
        "SOME_URL has not as many ports as hosts. Give one for each, or one for all."
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://me:pw@h:5433/db", "postgresql://me:***@h:5433/db"),
        ("postgres://me@h/db", "postgresql://me@h/db"),
        ("postgresql+psycopg2://h/db", "postgresql://h/db"),
        ("postgresql://m%40e:pw@h/db", "postgresql://m%40e:***@h/db"),
        ("postgresql://h/db?password=pw&user=me", "postgresql://me:***@h/db"),
        ("postgresql://:pw@h/db", "postgresql://h/db"),
        ("postgresql://h/db?sslpassword=pw&options=x", "postgresql://h/db"),
        ("postgresql://me:pw@/db?host=/run/pg", "postgresql://me:***@/db?host=/run/pg"),
        ("postgresql://me:pw@a:1,b:2/db", "postgresql://me:***@a:1,b:2/db"),
        ("postgresql://me:pw@/db?host=a,b&port=9", "postgresql://me:***@a:9,b:9/db"),
        ("postgresql://me:pw@a,b/db", "postgresql://me:***@a:5432,b:5432/db"),
        ("postgresql://me:pw@/db?host=a:1&host=b:2", "postgresql://me:***@a:1,b:2/db"),
        ("postgresql://me:pw@a:1,[::1]:2/db", "postgresql://me:***@a:1,[::1]:2/db"),
    ],
)
def test_for_people(text: str, expected: str) -> None:
    """What people read is put together from harmless parts: no password, no options."""
    url = parse_database_url(text)
    assert [expected] * 3 == [url.masked, str(url), f"{url}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://u:p%40@h/db", "postgresql+psycopg2://u:p%40@h/db"),
        ("postgres://u:p%40@h/db", "postgresql+psycopg2://u:p%40@h/db"),
        ("postgresql+psycopg2://h/db", "postgresql+psycopg2://h/db"),
        ("postgresql+asyncpg://h/db?ssl=require", "postgresql+asyncpg://h/db?ssl=require"),
        ("postgresql:///db?host=/run/pg", "postgresql+psycopg2:///db?host=/run/pg"),
    ],
)
def test_for_sqlalchemy(text: str, expected: str) -> None:
    """The driver is always said; one that the URL names itself is kept."""
    assert expected == parse_database_url(text).sqlalchemy_url


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg", "asyncpg"])
@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:p%40@a:1,[::1]:2/d%2Fb?application_name=x",
        "postgresql://u:p%40@/d%2Fb?application_name=x&host=a:1&host=%5B::1%5D:2",
        "postgresql://u:p%40@/d%2Fb?host=a,::1&port=1,2&application_name=x",
    ],
)
def test_several_hosts_for_each_driver(text: str, driver: str) -> None:
    """However several hosts are written, each driver gets all, and looks for the primary."""
    url = parse_database_url(text.replace("postgresql:", f"postgresql+{driver}:"))
    read = make_url(url.sqlalchemy_url)
    _, arguments = read.get_dialect()().create_connect_args(read)
    is_async = driver == "asyncpg"
    assert arguments == {
        "user": "u",
        "password": "p@",
        "database" if is_async else "dbname": "d/b",
        "host": ["a", "::1"] if is_async else "a,::1",
        "port": [1, 2] if is_async else "1,2",
        "application_name": "x",
        "target_session_attrs": "primary",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://u:p@h:1/db", "postgresql://u:p@h:1/ne%2Fw"),
        ("postgresql://u:p@h/db?sslmode=require", "postgresql://u:p@h/ne%2Fw?sslmode=require"),
        ("postgresql://u:p?#w@h/db", "postgresql://u:p?#w@h/ne%2Fw"),
        ("postgresql:///db?host=/run/pg", "postgresql:///ne%2Fw?host=/run/pg"),
        ("postgresql://u@/db?host=/run/pg", "postgresql://u@/ne%2Fw?host=/run/pg"),
        ("postgresql://h?dbname=db&user=u", "postgresql://h/ne%2Fw?user=u"),
        ("postgresql://h/a?dbname=db", "postgresql://h/ne%2Fw"),
        ("postgresql+asyncpg://h/db?ssl=require", "postgresql+asyncpg://h/ne%2Fw?ssl=require"),
        ("postgresql://a:1,[::1]:2/db", "postgresql://a:1,[::1]:2/ne%2Fw"),
        ("postgresql:///db?host=a:1&host=b:2", "postgresql:///ne%2Fw?host=a:1&host=b:2"),
    ],
)
def test_another_database_on_the_same_server(text: str, expected: str) -> None:
    """Only the database changes, in the URL and in the parameters alike."""
    url = parse_database_url(text)
    other = url.with_database("ne/w")
    assert expected == other.raw
    assert {**url.parameters, "dbname": "ne/w"} == other.parameters
    assert other.parameters == parse_database_url(other.raw).parameters


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("h", "5432", "postgresql://u:p@h:5432/db"),
        ("::1", "5432", "postgresql://u:p@[::1]:5432/db"),
        ("/run/pg", "5433", "postgresql://u:p@/db?host=/run/pg&port=5433"),
        ("a,::1", "5432", "postgresql://u:p@a:5432,[::1]:5432/db"),
        ("a,b", "1,2", "postgresql://u:p@a:1,b:2/db"),
    ],
)
def test_parts_make_a_url(host: str, port: str, expected: str) -> None:
    """A name, an address and a socket's folder each stand where they belong."""
    url = build_database_url(host=host, port=port, user="u", password="p", database="db")
    assert expected == url.raw


@pytest.mark.parametrize("password", [None, ""])
def test_no_password_leaves_it_to_libpq(password: str | None) -> None:
    """Without a password libpq looks in its own places, such as a pgpass file."""
    url = build_database_url(host="h", port="1", user="u", password=password, database="db")
    assert (url.raw, url.masked) == ("postgresql://u@h:1/db", "postgresql://u@h:1/db")
    assert "password" not in url.parameters


# Long enough to stand in no sentence by chance. Hypothesis also tries words of the code, which do.
passwords = st.text(
    st.characters(codec="utf-8", exclude_categories=["C"]) | st.sampled_from("%@/:?#[]&= "),
    min_size=12,
    max_size=30,
).map("{}~".format)

TEMPLATES = st.sampled_from(
    [
        "postgresql://user:{}@host/db",
        "postgresql://user:{}@host:5433/db?sslmode=require",
        "postgresql+asyncpg://user:{}@host/db?ssl=require",
        "postgresql://user:{}@/db?host=/run/pg",
        "postgresql://user:{}@h1:5432,h2:5433/db",
        "postgresql://user:{}@/db?host=h1:5432&host=h2:5433",
        "postgresql://host/db?user=u&password={}",
        "postgresql://host/db?sslpassword={}",
        # malformed
        "postgresql://user:{}@host",
        "postgresql://user:{}@host:port/db",
        "postgresql://user:{}@host:99999/db",
        "postgresql://user:{}@[host/db",
        "postgresql://user:{}@host/db?nonsense=1",
        "postgresql://user:{}@host/db?=",
        "postgresql//user:{}@host/db",
        "mysql://user:{}@host/db",
        "user:{}@host/db",
        "{}",
    ]
)


@settings(deadline=None)
@given(template=TEMPLATES, password=passwords, encoded=st.booleans())
@example(template="postgresql://user:{}@host/db", password="@rest-passes-for-host", encoded=False)
@example(
    template="postgresql://user:{}@host/db", password="/rest-passes-for-database", encoded=False
)
@example(template="postgresql://user:{}@host/db", password="1234567890123/", encoded=False)
@example(
    template="postgresql://user:{}@host/db", password="?sslmode=looks-like-an-option", encoded=False
)
def test_the_password_shows_nowhere(template: str, password: str, encoded: bool) -> None:
    """Well-formed or not, encoded as it should be or not: no text for people has the password."""
    text = template.format(quote(password, safe="") if encoded else password)
    try:
        url = parse_database_url(text)
    except ConfigurationError as error:
        shown = [str(error), repr(error), "".join(_sentences(error))]
    else:
        shown = [str(url), repr(url), url.masked, repr([url]), str(url.with_database("other"))]
    assert [line for line in shown if password in line or quote(password, safe="") in line] == []


def _sentences(error: BaseException) -> list[str]:
    """Return what a traceback says of an error and its causes, without the lines of source."""
    chain: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        chain += traceback.format_exception_only(cause)
        cause = cause.__cause__
    return chain


# libpq stops at the first @ and the first /, so both parts can hold anything that is encoded.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)


@settings(deadline=None)
@given(user=texts, password=texts, database=texts, other=texts)
def test_another_database_is_what_drivers_read(
    user: str, password: str, database: str, other: str
) -> None:
    """libpq and SQLAlchemy read the other database from the URL, with the login unchanged."""
    url = build_database_url(
        host="h", port="5432", user=user, password=password, database=database
    ).with_database(other)
    assert url.parameters == parse_dsn(url.raw)
    read = make_url(url.sqlalchemy_url)
    assert (user, password, other) == (read.username, read.password, read.database)


def test_equal_urls() -> None:
    """Two URLs are one and the same where their texts are."""
    assert parse_database_url("postgresql://h/db") == DatabaseUrl("postgresql://h/db", {})
