"""The facts of a boot are told for its own project and database alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from alembic_boot import BootDescription, parse_database_url
from alembic_boot.serving.handover import forget_boot, hand_over, handed_over, last_handed_over
from backend.settings import load_settings

URL = "postgresql://owner:pass-word@db.example/catalog"


def boot_of(
    url: str = URL,
    file: str = "catalog/alembic.ini",
    name: str = "a",
    arguments: tuple[str, ...] = ("tenant=acme",),
) -> BootDescription:
    boot = load_settings({"APP_ENV": "test", "DATABASE_URL": url}).description()
    alembic = replace(boot.alembic_config, file=Path(file), name=name, arguments=arguments)
    return replace(boot, alembic_config=alembic)


BOOT = boot_of()


@pytest.fixture(autouse=True)
def _no_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOT_FACTS", "{}")
    forget_boot()


@pytest.mark.parametrize(
    ("reader", "is_told"),
    [
        (BOOT, True),
        (boot_of(file=str(Path("catalog/alembic.ini").absolute())), True),
        (boot_of(file="catalog/../catalog/alembic.ini"), True),
        (boot_of(URL.replace("example/", "example:5432/")), True),
        (boot_of("postgresql+asyncpg://reader:pw-of-a-reader@db.example/catalog"), True),
        (boot_of(f"{URL}?sslmode=require"), True),
        (boot_of(file="billing/alembic.ini"), False),
        (boot_of(name="b"), False),
        (boot_of(arguments=("tenant=beta",)), False),
        (boot_of(arguments=()), False),
        (boot_of(URL.replace("/catalog", "/billing")), False),
        (boot_of(URL.replace("db.", "other.")), False),
        (boot_of(URL.replace("example/", "example:6432/")), False),
        (boot_of(f"{URL}?options=-csearch_path%3Dbeta"), False),
    ],
    ids=[
        *("same", "absolute", "resolved", "default port", "other login", "other sslmode"),
        *("other project", "other section", "other arguments", "no arguments"),
        *("other database", "other host", "other port", "other options"),
    ],
)
def test_whose_facts_they_are(reader: BootDescription, is_told: bool) -> None:
    hand_over(BOOT, failure="It failed.")
    assert (handed_over(reader).get("failure") is not None) is is_told


def test_facts_of_another_boot_are_not_added_to() -> None:
    hand_over(BOOT, failure="It failed.")
    other = boot_of(file="billing/alembic.ini")
    hand_over(other, did="schema was current")
    assert "failure" not in handed_over(other)
    assert handed_over(BOOT) == {}


def test_the_default_port_may_be_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "6432")
    hand_over(BOOT, did="schema was current")
    assert handed_over(boot_of(URL.replace("example/", "example:6432/")))
    assert not handed_over(boot_of(URL.replace("example/", "example:5432/")))


def test_several_hosts() -> None:
    several = parse_database_url("postgresql://u@a:1,b:2/catalog")
    hand_over(replace(BOOT, database_url=several), did="schema was current")
    assert handed_over(replace(BOOT, database_url=several))
    assert not handed_over(BOOT)


def test_no_login_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program may show its environment."""
    hand_over(BOOT, did="schema was current")
    private = ("pass-word", "owner", "db.example", "acme")
    assert not any(it in str(last_handed_over()) for it in private)


@pytest.mark.parametrize("text", ["", "garbage", '{"a', "[]", "1", "null"])
def test_facts_that_cannot_be_read_are_absent(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """The files and the database are asked instead, and the next boot replaces them."""
    monkeypatch.setenv("BOOT_FACTS", text)
    assert last_handed_over() == {}
    assert handed_over(BOOT) == {}
    hand_over(BOOT, did="schema was current")
    assert handed_over(BOOT)["did"] == "schema was current"
