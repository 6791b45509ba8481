"""Arrange the texts of a page by language."""

from collections.abc import Container, Iterator
from dataclasses import dataclass, field

from backend.reader.words import language_name
from backend.schemas.books import DialogueDetail, PageDetail, Translation

MOST_TEXT = 256 << 10
"""Characters of a page, markup included. A page could have 4 MiB, and 20 MB as HTML."""

_MARKUP = 100
"""Characters that each line counts for beside its text."""


@dataclass(frozen=True)
class Line:
    """An utterance in one language. `speaker` is None if the line before has the same speaker."""

    speaker: str | None
    text: str
    sounds: tuple[str, ...]


@dataclass
class Column:
    """The lines of a page in one language."""

    language: str
    is_primary: bool = False
    lines: list[Line] = field(default_factory=list)
    speaker: str | None = None

    @property
    def name(self) -> str:
        """Return the language's name in the language itself."""
        return language_name(self.language)


def columns_of(page: PageDetail, files: Container[str]) -> list[Column]:
    """Return a column for each language, the author's first; only recordings in `files`.

    If the page has too much text, the last line is an ellipsis.
    """
    columns: dict[str, Column] = {}
    room = MOST_TEXT
    for dialogue, translation in _texts(page):
        code = translation.language_code
        column = columns.setdefault(code, Column(code))
        room -= len(translation.text) + len(dialogue.speaker) + _MARKUP
        if room < 0:
            column.lines.append(Line(None, "…", ()))
            break
        speaker = None if column.speaker == dialogue.speaker else dialogue.speaker
        column.speaker = dialogue.speaker
        column.is_primary |= translation.is_primary
        urls = (it.audio_url for it in dialogue.audios if it.language_code == code)
        sounds = tuple(url for url in urls if url in files)
        column.lines.append(Line(speaker, translation.text, sounds))
    return sorted(columns.values(), key=lambda it: (not it.is_primary, it.language))


def _texts(page: PageDetail) -> Iterator[tuple[DialogueDetail, Translation]]:
    return ((dialogue, it) for dialogue in page.dialogues for it in dialogue.translations)


def local_picture(url: str | None) -> str | None:
    """Return the address of a picture on this server; None for any other, which is not loaded."""
    is_local = url is not None and url.startswith("/") and not url.startswith(("//", "/\\"))
    return url if is_local else None
