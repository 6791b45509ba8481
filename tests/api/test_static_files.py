"""The files that the service sends itself: the style, and the pictures of the example books."""

import re
import struct

import httpx
import pytest

from backend.seeds.stories import STORIES
from tests.api.paths import BOOKS


def test_every_picture_of_the_example_books_is_there(seeded_client: httpx.Client) -> None:
    """Its address is that of the database, and it is small, and what its name says."""
    urls = []
    for book in seeded_client.get(BOOKS).json()["items"]:
        pages = seeded_client.get(f"{BOOKS}/{book['id']}").json()["pages"]
        urls += [book["cover_image"], *(it["image_url"] for it in pages)]
    assert len(urls) == len(STORIES) + sum(len(it.pages) for it in STORIES)
    assert all(it.startswith("/static/") for it in urls)
    for url in urls:
        answer = seeded_client.get(url)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png"), url
        assert len(answer.content) < 20_000
        width, height = struct.unpack(">II", answer.content[16:24])
        assert (width, height) == ((600, 800) if "cover" in url else (800, 600))


def test_a_client_that_has_a_file_gets_no_second_copy(seeded_client: httpx.Client) -> None:
    url = f"/static/images/{STORIES[0].slug}/1.png"
    first, head = seeded_client.get(url), seeded_client.head(url)
    again = seeded_client.get(url, headers={"If-None-Match": first.headers["etag"]})
    other = seeded_client.get(url, headers={"If-None-Match": '"other"'})
    assert [it.status_code for it in (first, head, again, other)] == [200, 200, 304, 200]
    assert (head.content, again.content, other.content) == (b"", b"", first.content)
    assert head.headers["content-length"] == str(len(first.content))
    assert {it.headers["etag"] for it in (first, head, again)} == {first.headers["etag"]}
    assert first.headers["cache-control"] == "public, max-age=3600"


def test_the_style_is_kept_for_ever(seeded_client: httpx.Client) -> None:
    """Its address changes with its content."""
    page = seeded_client.get("/read").text
    [url] = re.findall(r'rel="stylesheet" href="(.*?)"', page)
    style = seeded_client.get(url)
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    assert style.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert style.headers["etag"].strip('"') in url
    assert "url(" not in style.text
    assert "@import" not in style.text


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/nothing.png",
        "/static/images",
        "/static/reader.css",
        "/static/..%2froutes.py",
        "/static/images/../../routes.py",
        "/static//etc/passwd",
    ],
)
def test_nothing_else_is_there(seeded_client: httpx.Client, path: str) -> None:
    answer = seeded_client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_a_file_is_only_read(seeded_client: httpx.Client) -> None:
    answer = seeded_client.post(f"/static/images/{STORIES[0].slug}/1.png")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
