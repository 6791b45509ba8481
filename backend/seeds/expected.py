"""The stories as relations, for joins with the tables."""

from collections.abc import Iterator

from sqlalchemy import Double, Integer, Text, Values, column, values

from backend.seeds.stories import LANGUAGE, STORIES, VOICE


def expected_pages() -> Values:
    """Return every expected page, by the book's title and the page's position."""
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
    """Return every expected utterance, by title, page and position on the page.

    Every story has pages and every page has lines. So if all lines exist, everything exists.
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
