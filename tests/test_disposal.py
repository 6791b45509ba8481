"""How a development database is thrown away, for each kind of database."""

from pathlib import Path

import pytest

from alembic_boot.postgres.urls import parse_database_url
from backend.disposal import disposal
from backend.settings import load_settings

OWN = "postgresql://me:secret@db.example.org:5433/my%20books"
SOCKET = "postgresql://postgres@/moriai_db?host={}"


def test_the_embedded_server(tmp_path: Path) -> None:
    """Its folder goes; whose server the URL leads to, the server's own file says."""
    data = tmp_path / "my data" / "postgres"
    data.mkdir(parents=True)
    url = parse_database_url(SOCKET.format("/run/pg"))
    (data / "postmaster.pid").write_text("1\n/data\n1700000000\n5432\n/run/pg\n\n")
    found = disposal(url, tmp_path / "my data", is_in_stack=False)
    assert found == f"stop what uses it, and run `rm -r '{data}'`"
    (data / "postmaster.pid").write_text("1\n/data\n1700000000\n5432\n/run/other\n\n")
    assert "dropdb" in disposal(url, tmp_path / "my data", is_in_stack=False)


def test_the_stack_of_containers(tmp_path: Path) -> None:
    """Its volume goes, and what removes it runs outside of the container."""
    found = disposal(parse_database_url(OWN), tmp_path, is_in_stack=True)
    assert found == "run `.venv/bin/inv down --volumes` and `make up` outside of the container"


@pytest.mark.parametrize(
    ("url", "command"),
    [
        (OWN, "dropdb --force --host=db.example.org --port=5433 --username=me 'my books'"),
        (SOCKET.format("/run/pg"), "dropdb --force --host=/run/pg --username=postgres moriai_db"),
        ("postgresql:///books", "dropdb --force books"),
    ],
)
def test_a_database_of_peoples_own(tmp_path: Path, url: str, command: str) -> None:
    """PostgreSQL's own command drops it, without the password; the next migration makes it."""
    found = disposal(parse_database_url(url), tmp_path, is_in_stack=False)
    assert found == f"run `{command}`, and `inv migrate` creates it again"


@pytest.mark.parametrize(
    ("environment", "is_disposable"), [("dev", True), ("test", True), ("prod", False)]
)
def test_in_production_the_data_counts(
    tmp_path: Path, environment: str, is_disposable: bool
) -> None:
    """Nobody is told to drop a database there."""
    settings = load_settings({"APP_ENV": environment, "DATABASE_URL": OWN}, tmp_path / ".env")
    assert (settings.description().schema.disposal is not None) is is_disposable


@pytest.mark.parametrize(
    ("variables", "is_image", "way"),
    [
        ({"POSTGRES_HOST": "postgres"}, True, "inv down --volumes"),
        ({"POSTGRES_HOST": "postgres"}, False, "dropdb --force --host=postgres"),
        ({"POSTGRES_HOST": "postgres", "DATABASE_URL": OWN}, True, "dropdb --force --host=db."),
        ({"DATABASE_URL": OWN}, True, "dropdb --force --host=db."),
    ],
)
def test_whose_database_it_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    is_image: bool,
    way: str,
) -> None:
    """The image in development, with the database's host by its name: that is the stack."""
    monkeypatch.setattr("backend.settings.is_in_image", lambda: is_image)
    found = load_settings(variables, tmp_path / ".env").description().schema.disposal
    assert found is not None
    assert way in found
