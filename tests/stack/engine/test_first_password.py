"""A database with another password than its container is told from one that is down."""

from dataclasses import replace
from typing import Any

import pytest

from backend.stack.engine.first_password import Login, explain, read_login

VOLUME = {"Type": "volume", "Name": "books_postgres"}
LOGIN = Login("postgres", "books_postgres", "POSTGRES_PASSWORD", "me", "books")


@pytest.mark.parametrize(
    ("environment", "mounts", "expected"),
    [
        (["POSTGRES_PASSWORD=p=x", "POSTGRES_USER=me", "POSTGRES_DB=books"], [VOLUME], LOGIN),
        (
            ["POSTGRES_PASSWORD=", "POSTGRES_PASSWORD_FILE=/run/secrets/p"],
            [{"Type": "bind"}, VOLUME],
            Login("postgres", "books_postgres", "POSTGRES_PASSWORD_FILE", "postgres", "postgres"),
        ),
        (
            ["POSTGRES_PASSWORD=p", "POSTGRES_USER=me"],
            [VOLUME],
            replace(LOGIN, database="me"),
        ),
        (["POSTGRES_PASSWORD=p"], [], None),
        (["POSTGRES_PASSWORD=p"], [{"Type": "bind"}], None),
        (["OTHER=p"], [VOLUME], None),
        (None, None, None),
    ],
)
def test_login(environment: Any, mounts: Any, expected: Login | None) -> None:
    """What the image postgres reads; a container of something else has none."""
    attributes = {"Config": {"Env": environment}, "Mounts": mounts}
    assert read_login("postgres", attributes) == expected


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (21, "refuses me with POSTGRES_PASSWORD: the volume books_postgres keeps the password"),
        (22, "refuses me for the database books: the volume books_postgres keeps a database"),
        (20, None),  # PostgreSQL does not answer, or lets in
        (127, None),  # no such program
        (None, None),
    ],
)
def test_explanation(status: int | None, words: str | None) -> None:
    found = explain(LOGIN, status)
    assert (words is None) == (found is None)
    if found and words:
        assert words in found.what
        assert "`inv down --volumes` removes the database with all its data." in found.advice
