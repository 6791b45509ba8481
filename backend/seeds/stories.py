"""The stories of every development database, as plain data.

Nothing here has an id: a row is identified by its owner's e-mail, a book's title, and positions.
"""

from dataclasses import dataclass

SPEAKER = "Narrator"
LANGUAGE = "en"
VOICE = "narrator-en"


@dataclass(frozen=True)
class Line:
    """One utterance of the narrator, and its reading time in seconds."""

    text: str
    duration: float


@dataclass(frozen=True)
class StoryPage:
    """One page: a description of its picture, and the lines to read aloud."""

    picture: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Story:
    """One book; the slug is its folder among the static files."""

    title: str
    slug: str
    genre: str
    target_age: str
    theme: str
    pages: tuple[StoryPage, ...]


PLAYGROUND_DAY = Story(
    title="My Playground Day",
    slug="my-playground-day",
    genre="everyday life",
    target_age="3-5",
    theme="friendship",
    pages=(
        StoryPage(
            picture="A child in yellow boots opens a small green gate to a sunny playground",
            lines=(
                Line("The gate goes squeak, and the whole playground says good morning.", 4.6),
                Line("Mina has her yellow boots on. They are very good at running.", 4.2),
            ),
        ),
        StoryPage(
            picture="A child on a swing, toes pointing at a cloud shaped like a rabbit",
            lines=(
                Line("Up goes the swing. Mina's toes nearly tickle a cloud.", 4.0),
                Line("Down comes the swing, and her tummy giggles all by itself.", 4.1),
            ),
        ),
        StoryPage(
            picture="A shy boy with a small red bucket beside an empty sandpit",
            lines=(
                Line("By the sandpit stands a boy with a red bucket and nobody to dig with.", 4.9),
                Line('"I have two hands," says Mina. "Do you need some?"', 3.8),
            ),
        ),
        StoryPage(
            picture="Two children building a lopsided sandcastle with a leaf for a flag",
            lines=(
                Line("They build a castle. It leans a little, as if it were listening.", 4.5),
                Line("A leaf becomes the flag, and a ladybird moves in at once.", 4.0),
            ),
        ),
        StoryPage(
            picture="Two children waving to each other in long evening shadows",
            lines=(
                Line('"Same time tomorrow?" asks the boy. His shadow waves too.', 4.2),
                Line("The gate goes squeak, and the whole playground says good night.", 4.5),
            ),
        ),
    ),
)

MOUNTAIN_ADVENTURE = Story(
    title="My Mountain Adventure",
    slug="my-mountain-adventure",
    genre="adventure",
    target_age="4-6",
    theme="courage",
    pages=(
        StoryPage(
            picture="A child with a big rucksack and a grandfather at the foot of a mountain",
            lines=(
                Line("The mountain is so tall that it wears the morning as a hat.", 4.4),
                Line('"How do we get up there?" asks Juno. "With small steps," says Grandpa.', 5.2),
            ),
        ),
        StoryPage(
            picture="A wobbly wooden bridge over a bright stream full of round stones",
            lines=(
                Line("A bridge! It wobbles like a loose tooth.", 3.2),
                Line("Juno holds the rope, counts to seven, and is on the other side.", 4.6),
            ),
        ),
        StoryPage(
            picture="Thick white fog, a child calling, and a goat with a tiny bell",
            lines=(
                Line("Then the fog comes down and swallows the path, the trees, and the sky.", 4.9),
                Line("Ting, ting! An old goat with a bell knows the way, and doesn't mind.", 4.8),
            ),
        ),
        StoryPage(
            picture="A child and a grandfather on the summit above a sea of clouds",
            lines=(
                Line("At the top Juno is taller than the clouds.", 3.4),
                Line('"It was a big mountain," says Juno, "but I had a lot of small steps."', 5.0),
            ),
        ),
    ),
)

STORIES = (PLAYGROUND_DAY, MOUNTAIN_ADVENTURE)
