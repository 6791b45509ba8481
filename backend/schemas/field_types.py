"""Types of text and number fields in requests, each with its limits.

Every text has a maximum length, and no text contains NUL, which PostgreSQL cannot store. The limits
are in the OpenAPI document, so that a client can know them beforehand.
"""

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from backend.models import Visibility

_TITLE = r"^[^\x00]*[^\x00-\x20][^\x00]*$"
_TEXT = r"^[^\x00]*$"
# Browsers read `\` as `/`, and `//host` as another host (https://url.spec.whatwg.org/#url-parsing).
_URL = r"^(https?://[^\x00-\x20/\\?#:@][^\x00-\x20]*|/([^\x00-\x20/\\][^\x00-\x20]*)?)$"
_EMAIL = r"^[!-?A-~]+@[!-?A-~]+\.[!-?A-~]+$"
_LANGUAGE = r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$"
_VOICE_ID = r"^[A-Za-z0-9][A-Za-z0-9._:-]*$"

CURSOR = r"^[A-Za-z0-9_-]{32}$"
"""The pattern of a cursor."""

PATTERN_MEANINGS: Mapping[str, str] = {
    _TITLE: "Should have at least one visible character, and no NUL",
    _TEXT: "Should have no NUL in it",
    _URL: "Should be an address by http or https, or a path on this server, without spaces",
    _EMAIL: "Should be an address like mina@example.org",
    _LANGUAGE: "Should be a language as BCP 47 writes it, like en, pt-BR or zh-Hant",
    CURSOR: "This is not a cursor of this list: take the next_cursor of an answer, unchanged",
    _VOICE_ID: "Should be letters, digits and ._:- alone, and begin with a letter or a digit",
}
"""The meaning of each pattern, for the sender of a text that does not fit."""

# Invisible characters whose category is a letter or a symbol: the fillers of Hangul and Braille.
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")


@lru_cache(4096)
def _is_hidden(character: str) -> bool:
    """Return whether a character is invisible if it stands alone.

    Marks, separators, controls and format characters are invisible.
    """
    hidden = ("M", "Z", "Cc", "Cf", "Cs")
    return character in _BLANKS or unicodedata.category(character).startswith(hidden)


def _visible(text: str) -> str:
    """Return a text that has a visible character; no pattern knows every kind of space."""
    if all(map(_is_hidden, text)):
        raise ValueError("nothing in it can be seen: write a letter, a digit or a sign")
    return text


Title = Annotated[
    str,
    Field(max_length=300, pattern=_TITLE, examples=["Up and Away"]),
    AfterValidator(_visible),
]
"""A name for people: it contains at least one visible character."""

Name = Annotated[Title, Field(examples=["Grandpa"])]
"""The name of a speaker or reader."""

ShortText = Annotated[str, Field(max_length=300, pattern=_TEXT)]
LongText = Annotated[str, Field(max_length=10_000, pattern=_TEXT)]

Url = Annotated[
    str,
    Field(
        max_length=2_000,
        pattern=_URL,
        description="An address by http or https, or a path on this server.",
    ),
]

Email = Annotated[
    str,
    Field(
        max_length=254,
        pattern=_EMAIL,
        examples=["mina@example.org"],
    ),
]


def _encodable(password: SecretStr) -> SecretStr:
    """Return a password that UTF-8 can encode: JSON also allows half of a surrogate pair."""
    try:
        password.get_secret_value().encode()
    except UnicodeEncodeError:
        # Without its cause, whose text contains the whole password.
        raise ValueError("not UTF-8") from None
    return password


Password = Annotated[SecretStr, AfterValidator(_encodable)]

LanguageCode = Annotated[
    str,
    Field(
        max_length=12,
        pattern=_LANGUAGE,
        description="A BCP 47 tag: the language, then the script or the region if needed.",
        examples=["en", "pt-BR", "zh-Hant"],
    ),
]

Cursor = Annotated[
    str,
    Field(
        pattern=CURSOR,
        description="`next_cursor` of the answer before, unchanged; left out for the first. "
        "What is there from the first to the last appears once; what comes meanwhile may not.",
    ),
]

ProviderVoiceId = Annotated[
    str,
    Field(
        max_length=200,
        pattern=_VOICE_ID,
        description="The voice's id at its provider.",
        examples=["narrator-en"],
    ),
]


def _number(value: object) -> object:
    """Return a number as it is: pydantic would convert a text or true to a number."""
    if isinstance(value, str | bool):
        raise ValueError("not a number")  # noqa: TRY004 - pydantic passes a TypeError on
    return value


Seconds = Annotated[
    float,
    Field(ge=0, le=86_400, allow_inf_nan=False, description="Seconds.", examples=[4.2]),
    BeforeValidator(_number),  # last, or the document would not have the limits
]
Sequence = Annotated[
    int,
    Field(ge=1, le=10_000, description="The position among its siblings."),
    BeforeValidator(_number),
]
Truth = Annotated[bool, Field(strict=True)]

OwnVisibility = Annotated[
    Literal[Visibility.PRIVATE, Visibility.PUBLIC],
    Field(description="Whether others see it. Only the operator makes default objects."),
]
