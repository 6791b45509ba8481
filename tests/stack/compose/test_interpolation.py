"""Variables in a Compose file mean what the Compose specification says."""

import string

import pytest
from hypothesis import given, strategies as st

from backend.stack.compose.interpolation import InterpolationError, interpolate

VARIABLES = {"SET": "value", "EMPTY": "", "OTHER": "other"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ("$SET", "value"),
        ("${SET}", "value"),
        ("a-${SET}-$OTHER.b", "a-value-other.b"),
        ("$SETTLED", ""),
        ("${EMPTY}", ""),
        ("${SET:-default}", "value"),
        ("${EMPTY:-default}", "default"),
        ("${UNSET:-default}", "default"),
        ("${UNSET:-}", ""),
        ("${SET-default}", "value"),
        ("${EMPTY-default}", ""),
        ("${UNSET-default}", "default"),
        ("${SET:?is needed}", "value"),
        ("${EMPTY?is needed}", ""),
        ("${SET:+replaced}", "replaced"),
        ("${EMPTY:+replaced}", ""),
        ("${EMPTY+replaced}", "replaced"),
        ("${UNSET+replaced}", ""),
        ("${UNSET:-${OTHER}}", "other"),
        ("${UNSET:-${ALSO:-${SET}!}}", "value!"),
        ("${SET:-${UNSET:?is needed}}", "value"),
        ("${UNSET:-a:-b?c}", "a:-b?c"),
        ("${UNSET:-http://x:1}", "http://x:1"),
        ("$$", "$"),
        ("$$SET", "$SET"),
        ("$${SET}", "${SET}"),
        ("$$$SET", "$value"),
        ("${UNSET:-$$5}", "$5"),
        ("}", "}"),
        ("$", "$"),
        ("costs 5$ each, or $5, or $-", "costs 5$ each, or $5, or $-"),
        ("${UNSET:-{}}", "{}"),
        ('${UNSET:-{"a": {"b": "${SET}"}}}!', '{"a": {"b": "value"}}!'),
        ("${SET:-{}}", "value"),
        ("${UNSET:-{}", "{"),
        ("${SET+{${OTHER}}}", "{other}"),
        ("${UNSET:-$${SET}}", "${SET}"),
        ("${SET:-${}}", "value"),
    ],
)
def test_interpolate(text: str, expected: str) -> None:
    assert interpolate(text, VARIABLES) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("${UNSET:?say it}", "UNSET is not set: say it"),
        ("${UNSET?}", "UNSET is not set"),
        ("${EMPTY:?say ${OTHER}}", "EMPTY is not set: say other"),
        ("${UNSET:-${ALSO:?say it}}", "ALSO is not set: say it"),
        ("${SET", "${SET is followed by none of :- :? :+ - ? + and }"),
        ("${SET:-x", "the ${ of SET is not closed"),
        ("${UNSET:-${SET}", "${SET is followed by none of"),
        ("${}", "no variable's name follows ${; write $${ for a literal ${"),
        ("${1}", "no variable's name follows ${"),
        ("secret${", "no variable's name follows ${"),
        ("${SET!x}", "followed by none of"),
        ("${SET:x}", "followed by none of"),
    ],
)
def test_refusal(text: str, complaint: str) -> None:
    """What cannot be filled in says why, and what is malformed is not passed on as it is."""
    with pytest.raises(InterpolationError) as raised:
        interpolate(text, VARIABLES)
    assert complaint in str(raised.value)
    assert "secret" not in str(raised.value)


def test_unset_variables_are_told() -> None:
    """Who is filled in with nothing is named, once where it is used and not where it isn't."""
    told: list[str] = []
    assert interpolate("$A ${B} ${C:-c} ${SET:-$D}", VARIABLES, told.append) == "  c value"
    assert told == ["A", "B"]


@given(st.text())
def test_any_text_is_kept_when_its_dollars_are_doubled(text: str) -> None:
    """What is escaped comes back as it was, whatever it is."""
    assert interpolate(text.replace("$", "$$"), {}) == text


NAMES = st.text(string.ascii_letters + "_", min_size=1)


@given(NAMES, st.text(), st.text(alphabet=st.characters(exclude_characters="${}")))
def test_a_value_is_never_read_again(name: str, value: str, default: str) -> None:
    """A value that looks like a variable is not filled in itself."""
    assert interpolate(f"${{{name}}}", {name: value}) == value
    assert interpolate(f"${{{name}-{default}}}", {name: value}) == value
    assert interpolate(f"${{{name}-{default}}}", {}) == default


@given(st.text(alphabet="${}:-?+AB \n"))
def test_nothing_but_its_own_error(text: str) -> None:
    """Whatever is written, it is filled in or refused."""
    try:
        assert isinstance(interpolate(text, {"A": "a"}), str)
    except InterpolationError as error:
        assert str(error)
