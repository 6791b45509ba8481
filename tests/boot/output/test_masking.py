"""Passwords are blanked out of whatever a person or a log reads, and nothing else is."""

import re
import time
import timeit
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings, strategies as st

from alembic_boot.output import masking
from alembic_boot.output.masking import hide, hide_argument, mask


@pytest.fixture(autouse=True)
def no_secrets_left() -> Iterator[None]:
    """Let what a test hides be hidden in that test only."""
    before = set(masking._secrets)
    masking._secrets.clear()
    yield
    masking._secrets.clear()
    masking._secrets.update(before)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("nothing to hide", "nothing to hide"),
        ("postgresql://u:pw@h/db", "postgresql://u:***@h/db"),
        ("postgresql+psycopg2://u:pw@h/db", "postgresql+psycopg2://u:***@h/db"),
        ("{'password': 'a\\'b', 'port': 1}", "{'password': \"***\", 'port': 1}"),
        ('{"sslpassword": "a b", "port": 1}', '{"sslpassword": "***", "port": 1}'),
        ("(redis://:pw@h:6379/0)", "(redis://:***@h:6379/0)"),
        ("at postgresql://u:a@b@h/db.", "at postgresql://u:***@h/db."),
        (
            "postgresql://a:x@h/1 and postgresql://b:y@h/2",
            "postgresql://a:***@h/1 and postgresql://b:***@h/2",
        ),
        ("postgresql://u:***@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u@h/db", "postgresql://u@h/db"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000/a@b", "http://127.0.0.1:8000/a@b"),
        ("http://[::1]:8000/a@b", "http://[::1]:8000/a@b"),
        ("host=h password=pw dbname=db", "host=h password=*** dbname=db"),
        ("host=h password='a b' dbname=db", "host=h password=*** dbname=db"),
        (r"password='it\'s \\ mine' dbname=db", "password=*** dbname=db"),
        ("PASSWORD = pw", "PASSWORD = ***"),
        ("?user=u&password=pw&x=1", "?user=u&password=***&x=1"),
        ("sslpassword=pw", "sslpassword=***"),
        (
            "Write it as postgresql://user:password@host:5432/database, with",
            "Write it as postgresql://user:password@host:5432/database, with",
        ),
        ("FATAL: password authentication failed", "FATAL: password authentication failed"),
        (r"say `psql -c '\password'`; or start", r"say `psql -c '\password'`; or start"),
        ('column "password" is not "x"', 'column "password" is not "x"'),
        ("Column('password', 'b')", "Column('password', 'b')"),
        ("f(password='a b', x=1)", "f(password=***, x=1)"),
        ("ALTER ROLE r PASSWORD 'it''s' LOGIN", "ALTER ROLE r PASSWORD *** LOGIN"),
        (r"CREATE USER u ENCRYPTED PASSWORD E'it\'s';", "CREATE USER u ENCRYPTED PASSWORD ***;"),
        ("CREATE USER u PASSWORD'pw';", "CREATE USER u PASSWORD***;"),
        ("CREATE USER u PASSWORD $a$ it's $a$;", "CREATE USER u PASSWORD ***;"),
        ('PASSWORD "pw";', "PASSWORD ***;"),
        ("EXECUTE 'ALTER ROLE r PASSWORD ''pw'''; x", "EXECUTE 'ALTER ROLE r PASSWORD ***'; x"),
        ("EXECUTE 'PASSWORD ''it''''s'' LOGIN'; x", "EXECUTE 'PASSWORD *** LOGIN'; x"),
        ("$$PASSWORD 'pw'$$ x", "$$PASSWORD ***$$ x"),
        ("OPTIONS (user 'u', password 'pw')", "OPTIONS (user 'u', password ***)"),
        ("set_config('app.password', 'pw', true)", "set_config('app.password', ***, true)"),
        ("set_config(''app.password'', ''pw'', true)", "set_config(''app.password'', ***, true)"),
        ("SET app.db_password TO 'pw'; x", "SET app.db_password TO ***; x"),
        (
            r"op.execute('CREATE USER u PASSWORD \'pw\'')",
            "op.execute('CREATE USER u PASSWORD ***')",
        ),
        ("""("CREATE USER u PASSWORD "\n "'pw'")""", """("CREATE USER u PASSWORD ***")"""),
        ("CREATE USER u PASSWORD 'a secret that was c", "CREATE USER u PASSWORD ***"),
    ],
)
def test_what_looks_like_a_password(text: str, expected: str) -> None:
    """Passwords in URLs and in libpq's keywords are recognised without being known."""
    assert expected == mask(text)


@pytest.mark.parametrize(
    ("secret", "text", "expected"),
    [
        ("hunter22", "it is hunter22.", "it is ***."),
        ("hunter22", "'hunter22'", "'***'"),
        ("hunter22", "hunter223 and xhunter22", "hunter223 and xhunter22"),
        ("moriai", "moriai is no moriai_user", "*** is no moriai_user"),
        ("p@ss w/rd", "p@ss w/rd p%40ss%20w%2Frd p%40ss+w%2Frd", "*** *** ***"),
        ("(.*)", "a (.*) b", "a *** b"),
        ("%%%%", "a %%%% b %25%25%25%25", "a *** b ***"),
        ("abc", "abc", "abc"),
        ("user", "a user at postgresql://u:user@h/d", "a user at postgresql://u:***@h/d"),
        ("postgres", "postgres: password=postgres", "postgres: password=***"),
        ("Database", "a Database", "a Database"),
        ("", "a b", "a b"),
        (None, "None", "None"),
        ("äöüß", "äöüß %C3%A4%C3%B6%C3%BC%C3%9F", "*** ***"),
        ("two\nlines", "two\nlines", "***"),
    ],
)
def test_what_was_hidden(secret: str | None, text: str, expected: str) -> None:
    """A known secret is blanked out as a word of its own, raw and encoded; short ones are not."""
    hide(secret)
    assert expected == mask(text)


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        ("tenant=acme", "tenant=acme"),
        ("sorted by key=id", "sorted by key=id"),
        ("verbose", "verbose"),
        ("token=", "token="),
        ("db-password=s3same s3same", "db-password=***"),
        ("API_KEY=s3same s3same", "API_KEY=***"),
        ("token=xy", "token=***"),
        ("url=postgresql://u:pw@h/db", "url=postgresql://u:***@h/db"),
    ],
)
def test_an_argument_of_alembic(argument: str, shown: str) -> None:
    """Its name says that the value is secret."""
    assert hide_argument(argument) == shown
    assert "s3same" not in mask(f"it has {argument.partition('=')[2]}: it fails")


def test_the_longer_of_two_secrets_is_hidden_whole() -> None:
    """A secret that begins with another one leaves no rest behind."""
    hide("secret")
    hide("secret-and-more")
    assert mask("secret-and-more, secret") == "***, ***"


# Long enough not to stand in a sentence by chance; a word of its own begins and ends with a letter.
secrets = st.builds(
    "q{}q".format,
    st.text(st.characters(codec="utf-8", exclude_characters="\0*"), min_size=10, max_size=30),
)


@settings(deadline=None)
@given(secret=secrets)
@example("q%@:/?#[]&= q")
def test_a_hidden_secret_shows_nowhere(secret: str) -> None:
    """Whatever is in a password, and however it is written, it is not in the masked text."""
    masking._secrets.clear()
    hide(secret)
    forms = {secret, quote(secret, safe=""), quote_plus(secret)}
    text = f"could not use '{secret}' at " + ", ".join(
        f"postgresql://user:{form}@host/db?x={form}" for form in sorted(forms)
    )
    assert [form for form in forms if form in mask(text)] == []


@settings(deadline=None)
@given(secret=secrets)
@example("q%@:/?#[]&= q")
def test_an_encoded_password_needs_not_be_known(secret: str) -> None:
    """In a well-formed URL a password is recognised by its place, and the rest stays readable."""
    masking._secrets.clear()
    url = f"postgresql://user:{quote(secret, safe='')}@host:5432/db"
    assert mask(f"at {url}.") == "at postgresql://user:***@host:5432/db."


_TRIED_AT_EACH_LETTER = re.compile(
    r"(?P<head>\w[\w+.-]*://[^:/?#\s@]*:)(?!password@host:5432/)[^/?#\s]*(?=@)"
)


@settings(deadline=None)
@given(st.text(st.sampled_from("a+:/@ ?é"), max_size=30))
@example("a://b:c@d://e:f@g")
def test_a_url_is_found_wherever_it_starts(text: str) -> None:
    """The quick pattern finds what the simple one does."""
    assert mask(text) == _TRIED_AT_EACH_LETTER.sub(r"\g<head>***", text)


@pytest.mark.parametrize(
    "piece",
    ["a", "a.", "a:", "a://", "a://b:c", "password '", "password $a$", "set_config('password"],
)
def test_the_time_grows_with_the_length(piece: str) -> None:
    """A page may show a long text, and no other thread runs while it is masked."""
    assert _seconds(piece * 16_000) < 100 * _seconds(piece * 1_000)


def _seconds(text: str) -> float:
    """Return the shortest of three runs: the machine may do other things, too."""
    return min(timeit.repeat(lambda: mask(text), timer=time.thread_time, number=1, repeat=3))


@settings(deadline=None)
@example("PASSWORD=''0")
@example("password''password'")
@given(
    st.text()
    | st.text(st.sampled_from(["p", " ", *"'\"=\\:@$"])).map(lambda it: it.replace("p", "password"))
)
def test_masking_twice_changes_nothing_more(text: str) -> None:
    """A masked text is left as it is."""
    assert mask(text) == mask(mask(text))
