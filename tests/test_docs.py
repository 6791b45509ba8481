"""The READMEs and the pages under docs/: short enough, and each link and command in them exists."""

import re
from functools import cache
from pathlib import Path

import pytest

import tasks

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [
    README,
    ROOT / "CHANGELOG.md",
    ROOT / "alembic_boot" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
IDS = [str(path.relative_to(ROOT)) for path in PAGES]

_FENCE = re.compile(r"^ *```.*?^ *```$", re.M | re.S)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", text_of(page)), re.M)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}


def links(page: Path) -> list[str]:
    found = _LINK.findall(_FENCE.sub("", text_of(page)))
    return [link for link in found if "://" not in link]


def broken(page: Path, link: str) -> bool:
    file, _, anchor = link.partition("#")
    target = (page.parent / file).resolve() if file else page
    return not target.exists() or bool(anchor and anchor not in anchors(target))


def test_the_readme_can_be_read() -> None:
    assert len(text_of(README).splitlines()) <= 200


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [link for link in links(page) if broken(page, link)] == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_target_of_make_exists(page: Path) -> None:
    """`make X` stands in backquotes or at the beginning of a command line."""
    makefile = text_of(ROOT / "Makefile")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    assert set(commands(page, "make")) <= targets


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_task_exists(page: Path) -> None:
    """`inv X`, with or without `.venv/bin/`; `inv ci` is the whole pipeline."""
    assert set(commands(page, "inv")) <= {*tasks.ns.task_names, "ci"}


def commands(page: Path, program: str) -> list[str]:
    """Return the first word after a program, wherever a person would type it."""
    setting = r"(?:[A-Z_]+=(?:\"[^\"]*\"|\S*) +)*"
    return re.findall(
        rf"(?:`|^ *\$ ){setting}(?:sudo )?(?:\.venv/bin/)?{program} +{setting}([a-z][\w.-]*)",
        text_of(page),
        re.M,
    )


def test_commands_are_found() -> None:
    """The two tests before this one would pass if no command were found."""
    assert {"start", "up", "test"} <= set(commands(README, "make"))
    assert "rollback" in commands(README, "inv")


def test_every_page_is_listed() -> None:
    """The index has a link to each page, and each page begins with a title and a paragraph."""
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / link).resolve() for link in links(index)}
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - listed == {index}
    for page in (page for page in PAGES if page.parent == ROOT / "docs"):
        assert re.match(r"# .+\n\n[A-Z`]", text_of(page)), page


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_file_of_the_code_exists(page: Path) -> None:
    """A path in backquotes is one from the top, or one inside the tool."""
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]*\.py)`", text_of(page))
    roots = [ROOT, ROOT / "alembic_boot", ROOT / "backend"]
    wrong = {it for it in named if not any((root / it).exists() for root in roots)}
    assert wrong - MADE_UP == set()


MADE_UP = {
    "alembic/versions/009_k3f9_books_have_subtitles.py",
    "/path/to/shop/shop.py",
    "path/to/shop/shop.py",
}
"""Examples."""
