"""Split a command that is written as one text, by Compose's rules."""

_SHELL_ONLY = set(";&|<>()`")


def split_words(text: str) -> list[str]:
    """Return the words of a text: quotes keep spaces, and a backslash keeps the next character.

    Some characters are refused: Compose ends the command there because only a shell understands
    them, or its versions read them differently. Raises ValueError.
    """
    words: list[str] = []
    word: str | None = None
    quote = ""
    characters = iter(text)
    for character in characters:
        if character == "\\" and quote != "'":
            following = next(characters, "")
            if following in ("", "t", "n"):
                raise ValueError(_advice(f"a backslash before {following or 'the end'}"))
            word = (word or "") + following
        elif quote:
            if character == quote:
                quote = ""
            else:
                word = (word or "") + character
        elif character in ("'", '"'):
            quote, word = character, word or ""
        elif character in _SHELL_ONLY:
            raise ValueError(_advice(f"{character} outside of quotes"))
        elif character.isspace():
            words += [] if word is None else [word]
            word = None
        else:
            word = (word or "") + character
    if quote:
        raise ValueError(f"a command has a {quote} that is not closed")
    return words if word is None else [*words, word]


def _advice(what: str) -> str:
    return (
        f"a command in one text cannot have {what}: write it as a list, "
        'for a shell as ["sh", "-c", "…"]'
    )
