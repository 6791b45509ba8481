"""An env file means what Compose makes of it."""

import pytest
from hypothesis import given, strategies as st

from backend.stack.compose.dotenv import DotenvError, parse_dotenv

VARIABLES = {"SHELL": "given", "BASE": "shell's"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1", {"A": "1"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("\ufeffA=1", {"A": "1"}),
        ("  A = 1 \n\n\t# nothing\nB:2", {"A": "1", "B": "2"}),
        ("A=", {"A": ""}),
        ("A=1\nA=2", {"A": "2"}),
        ("export A=1\nexport\tB=2\nexported=3", {"A": "1", "B": "2", "exported": "3"}),
        ("a.b=1\na-b=2\na[0]=3\nÄ=4", {"a.b": "1", "a-b": "2", "a[0]": "3", "Ä": "4"}),
        # comments
        ("A=b # c", {"A": "b"}),
        ("A=b#c", {"A": "b#c"}),
        ("A='b#c' # d\nB=2", {"A": "b#c", "B": "2"}),
        ('A="b # c"#d', {"A": "b # c"}),
        ("A=b '# c", {"A": "b '# c".partition(" #")[0]}),
        # quotes
        ("A='$SHELL ${SHELL} $$ \\n \\\\'", {"A": "$SHELL ${SHELL} $$ \\n \\\\"}),
        ("A='it\\'s'", {"A": "it's"}),
        ('A="it\'s"', {"A": "it's"}),
        ("A=it's", {"A": "it's"}),
        ('A=say "b"', {"A": 'say "b"'}),
        ("A=''\nB=\"\"", {"A": "", "B": ""}),
        ('A="one\ntwo"\nB=\'one\n\ntwo\'', {"A": "one\ntwo", "B": "one\n\ntwo"}),
        ('A="b"C=d', {"A": "b", "C": "d"}),
        # escapes in double quotes
        (r'A="a\nb\tc\rd\"e\\f"', {"A": 'a\nb\tc\rd"e\\f'}),
        (r'A="\$SHELL \\$SHELL \q \c"', {"A": r"$SHELL \given \q \c"}),
        (r'A="\0101 \0 \012 \0777"', {"A": r"A \0 \012 \0777"}),
        (r"A=a\nb", {"A": r"a\nb"}),
        # variables
        ("BASE=foo\nA=pa$BASE", {"BASE": "foo", "A": "pashell's"}),
        ("X=foo\nA=pa$X\nB=\"${X}\"", {"X": "foo", "A": "pafoo", "B": "foo"}),
        ("A=p@$$w0rd", {"A": "p@$w0rd"}),
        ("A=p@$w0rd", {"A": "p@"}),
        ("A=5$ or $5", {"A": "5$ or $5"}),
        ("A=${NOPE-dflt}\nB=${NOPE:-${SHELL}}", {"A": "dflt", "B": "given"}),
        ("A=${SHELL:+yes}\nB=${NOPE+yes}", {"A": "yes", "B": ""}),
        ('A=${NOPE:-{"a": {}}}', {"A": '{"a": {}}'}),
        # names without a value
        ("SHELL\nNOPE\n", {"SHELL": "given"}),
        ("A=1\nSHELL", {"A": "1", "SHELL": "given"}),
    ],
)  # fmt: skip
def test_parse(text: str, expected: dict[str, str]) -> None:
    assert parse_dotenv(text, VARIABLES) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("A=1\nB='open\nC=3", "line 2: the quote of B is not closed"),
        ('A="open', "line 1: the quote of A is not closed"),
        ("A=1\n\n!x=2", "line 3: this does not begin with a variable's name"),
        ("A B=secret", "line 1: this does not begin with a variable's name"),
        ("=secret", "line 1: this does not begin with a variable's name"),
        ("-----BEGIN SECRET-----", "line 1: this does not begin with a variable's name"),
        ("A='b'\\''secret'", "line 1: this does not begin with a variable's name"),
        ("A=1\nB=${", "line 2: B: no variable's name follows ${; write $${ for a literal ${"),
        ("A=secret${B", "line 1: A: ${B is followed by none of"),
        ('A="x\ny"\nB=${NOPE:?say it}', "line 3: B: NOPE is not set: say it"),
    ],
)
def test_refusal(text: str, complaint: str) -> None:
    """The line and the name are told, and nothing that may be a secret."""
    with pytest.raises(DotenvError) as raised:
        parse_dotenv(text, VARIABLES)
    assert str(raised.value).startswith(complaint)
    assert "secret" not in str(raised.value).lower()


def test_lines_may_be_passed_over() -> None:
    names: list[str | None] = []
    text = "A=1\nNOT A LINE\nB='x\nC=${\nD=4"
    found = parse_dotenv(text, {}, on_error=lambda it: names.append(it.name))
    assert (found, names) == ({"A": "1", "D": "4"}, [None, "B", "C"])


def test_unset_variables_are_told() -> None:
    told: list[str] = []
    parse_dotenv("A=$NOPE\nB='$NOT'\nC=${ALSO:-x}", {}, told.append)
    assert told == ["NOPE"]


@given(st.text(st.characters(exclude_characters="'\\", codec="utf-8")))
def test_single_quotes_keep_everything(value: str) -> None:
    assert parse_dotenv(f"A='{value}'\nB=2", {}) == {"A": value, "B": "2"}


@given(st.text(st.characters(codec="utf-8")))
def test_double_quotes_keep_what_is_escaped(value: str) -> None:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    assert parse_dotenv(f'A="{escaped}"', {}) == {"A": value}


@given(st.text(alphabet="AB=:'\"\\$#{} \n-"))
def test_nothing_but_its_own_error(text: str) -> None:
    try:
        parse_dotenv(text, {})
    except DotenvError as error:
        assert str(error).startswith("line ")
