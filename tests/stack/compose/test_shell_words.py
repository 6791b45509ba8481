"""A command in one text is split as Compose splits it."""

import shlex

import pytest
from hypothesis import given, strategies as st

from backend.stack.compose.shell_words import split_words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  a  b\nc ", ["a", "b", "c"]),
        ("a 'b c' \"d 'e'\"", ["a", "b c", "d 'e'"]),
        ("a'b'\"c\"", ["abc"]),
        ("''", [""]),
        (r"a\ b \'c", ["a b", "'c"]),
        (r'"a\b\"c"', ['ab"c']),
        (r"'a\b'", [r"a\b"]),
        ("sh -c 'a; b && c > d'", ["sh", "-c", "a; b && c > d"]),
        ("a $b #c ~", ["a", "$b", "#c", "~"]),
    ],
)
def test_split(text: str, expected: list[str]) -> None:
    assert split_words(text) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "npm i && npm start",
            "cannot have & outside of quotes: write it as a list, for",
        ),
        ("a; b", "cannot have ; outside"),
        ("a | b", r"cannot have \| outside"),
        ("a > b", "cannot have > outside"),
        ("echo $(x)", r"cannot have \( outside"),
        (r"a\nb", "cannot have a backslash before n"),
        ("a\\", "cannot have a backslash before the end"),
        ("a 'b", "has a ' that is not closed"),
    ],
)
def test_refusal(text: str, complaint: str) -> None:
    """What a shell would have to do is refused: Compose would leave out the rest."""
    with pytest.raises(ValueError, match=complaint):
        split_words(text)


@given(st.lists(st.text()))
def test_quoted_words_come_back(words: list[str]) -> None:
    assert split_words(shlex.join(words)) == words
