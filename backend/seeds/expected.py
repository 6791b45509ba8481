"""The stories as relations: what the statements of seeding join with the tables."""

from collections.abc import Iterator

from sqlalchemy import Double, Integer, Text, Values, column, values

from backend.seeds.stories import LANGUAGE, STORIES, VOICE


def expected_pages() -> Values:
    """Return every page that there should be, by the book's title and its position."""
    return values(
        column("title", Text),
        column("sequence", Integer),
        column("image_url", Text),
        column("image_prompt", Text),
        name="expected_page",
    ).data(
        [
            (story.title, number, f"/static/images/{story.slug}/{number}.png", page.picture)
            for story in STORIES
            for number, page in enumerate(story.pages, start=1)
        ]
    )


def expected_lines() -> Values:
    """Return every utterance that there should be, by title, page and position on it.

    Every story has pages and every page has lines: who has all lines has everything.
    """
    return values(
        column("title", Text),
        column("page", Integer),
        column("sequence", Integer),
        column("text", Text),
        column("audio_url", Text),
        column("duration", Double),
        name="expected_line",
    ).data(list(_lines()))


def _lines() -> Iterator[tuple[str, int, int, str, str, float]]:
    for story in STORIES:
        for page, content in enumerate(story.pages, start=1):
            for sequence, line in enumerate(content.lines, start=1):
                audio = f"/static/audio/{story.slug}/{page}-{sequence}-{VOICE}-{LANGUAGE}.mp3"
                yield story.title, page, sequence, line.text, audio, line.duration
