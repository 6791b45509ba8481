"""What seeding relies on in the stories, and what a reader may expect of them."""

import pytest

from backend.seeds.stories import STORIES, Story

every_story = pytest.mark.parametrize("story", STORIES, ids=lambda story: story.slug)


def test_the_two_stories() -> None:
    """There are two books, of five and of four pages."""
    assert {story.title: len(story.pages) for story in STORIES} == {
        "My Playground Day": 5,
        "My Mountain Adventure": 4,
    }


@every_story
def test_every_page_speaks(story: Story) -> None:
    """A page without a line would be absent without seeding noticing."""
    assert all(1 <= len(page.lines) <= 2 for page in story.pages)
    assert all(line.text and line.duration > 0 for page in story.pages for line in page.lines)


def test_titles_are_distinct() -> None:
    """A title names one book, and a slug one folder."""
    assert len({story.title for story in STORIES}) == len(STORIES)
    assert len({story.slug for story in STORIES}) == len(STORIES)
