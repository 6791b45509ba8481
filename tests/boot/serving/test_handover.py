"""The facts of a boot are told for its own project and database alone."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import alembic_boot
from alembic_boot import BootDescription, parse_database_url
from alembic_boot.serving.handover import (
    hand_over,
    hand_over_project,
    handed_over,
    last_handed_over,
    with_facts,
)
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
    monkeypatch.setenv("ALEMBIC_BOOT_X", "")


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


def test_a_configuration_that_is_a_link_to_itself(tmp_path: Path) -> None:
    """Nobody can have left facts about it; reading it says what is wrong."""
    (tmp_path / "loop").symlink_to("loop")
    assert handed_over(boot_of(file=str(tmp_path / "loop"))) == {}


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
    hand_over_project(BOOT)
    hand_over(BOOT, did="schema was current")
    private = ("pass-word", "owner", "db.example", "acme")
    assert not any(it in str(last_handed_over()) for it in private)


def test_a_new_boot_forgets_the_last_one() -> None:
    hand_over(BOOT, failure="It failed.")
    hand_over_project(BOOT)
    assert "failure" not in handed_over(BOOT)


def test_a_command_gets_the_arguments_of_its_boot() -> None:
    """As the variable that means the same, and none of an earlier boot."""
    given = {"ALEMBIC_BOOT_X": "tenant=beta", "BOOT_FACTS": "{}", "HOME": "/home"}
    hand_over_project(boot_of(arguments=("tenant=acme", "note=two words")))
    passed = with_facts(given)
    assert passed.pop("BOOT_FACTS") == os.environ["BOOT_FACTS"]
    assert passed == {"ALEMBIC_BOOT_X": "tenant=acme 'note=two words'", "HOME": "/home"}
    hand_over_project(boot_of(arguments=()))
    assert "ALEMBIC_BOOT_X" not in with_facts(given)


class TestProjectOfABoot:
    """A call that names no project is about the one that the boot of this process was for."""

    @pytest.fixture(autouse=True)
    def _here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path)
        for name in ("ALEMBIC_CONFIG", "ALEMBIC_BOOT_NAME", "ALEMBIC_BOOT_X"):
            monkeypatch.delenv(name, raising=False)

    def test_is_the_default(self, tmp_path: Path) -> None:
        hand_over_project(BOOT)
        found = alembic_boot.describe(url=URL).alembic_config
        assert found.file == (tmp_path / "catalog" / "alembic.ini").resolve()
        assert (found.name, found.arguments) == ("a", ("tenant=acme",))
        assert found.folder == BOOT.alembic_config.folder
        assert handed_over(alembic_boot.describe(url=URL))

    def test_may_be_a_link(self, tmp_path: Path) -> None:
        """Alembic takes the other paths from where the link is."""
        link = tmp_path / "catalog" / "alembic.ini"
        link.parent.mkdir()
        link.symlink_to(tmp_path / "elsewhere" / "alembic.ini")
        hand_over_project(BOOT)
        assert alembic_boot.describe(url=URL).alembic_config.file == link

    def test_is_that_of_the_last_boot(self) -> None:
        hand_over_project(BOOT)
        hand_over_project(boot_of(name="b", arguments=()))
        found = alembic_boot.describe(url=URL).alembic_config
        assert (found.name, found.arguments) == ("b", ())

    @pytest.mark.parametrize(
        ("named", "name", "arguments"),
        [
            ({"project": "."}, "alembic", ()),
            ({"name": "b"}, "b", ()),
            ({"arguments": ("tenant=beta",)}, "alembic", ("tenant=beta",)),
            ({"arguments": ()}, "alembic", ()),
        ],
        ids=["project", "section", "arguments", "no arguments"],
    )
    def test_is_not_mixed_with_a_named_one(
        self,
        named: dict[str, Any],
        name: str,
        arguments: tuple[str, ...],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        hand_over_project(BOOT)
        monkeypatch.setenv("ALEMBIC_CONFIG", "catalog/alembic.ini")
        monkeypatch.setenv("ALEMBIC_BOOT_NAME", "a")
        found = alembic_boot.describe(url=URL, **named)
        config = found.alembic_config
        assert config.file == Path("alembic.ini").absolute()
        assert (config.name, config.arguments) == (name, arguments)
        assert not handed_over(found)

    def test_is_none_of_another_folder(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A service that another one starts has that one's environment."""
        hand_over_project(BOOT)
        monkeypatch.chdir("elsewhere")
        found = alembic_boot.describe(url=URL).alembic_config
        assert (found.file.absolute(), found.name) == (Path("alembic.ini").absolute(), "alembic")

    @pytest.mark.parametrize("about", [None, [], ["a", "b"], [1, 2, 3], "abc", {"a": 1}])
    def test_is_none_of_facts_that_cannot_be_read(
        self, about: object, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folders = [str(Path.cwd()), str(Path.cwd())]
        monkeypatch.setenv("BOOT_FACTS", json.dumps({"about": about, "folders": folders}))
        assert alembic_boot.describe(url=URL).alembic_config.name == "alembic"

    def test_without_a_boot_is_that_of_the_variables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALEMBIC_CONFIG", "catalog/alembic.ini")
        monkeypatch.setenv("ALEMBIC_BOOT_NAME", "a")
        monkeypatch.setenv("ALEMBIC_BOOT_X", "tenant=acme 'note=two words'")
        found = alembic_boot.describe(url=URL).alembic_config
        assert found.file == Path("catalog/alembic.ini").absolute()  # the process may move
        assert (found.name, found.arguments) == ("a", ("tenant=acme", "note=two words"))


@pytest.mark.parametrize("text", ["", "garbage", '{"a', "[]", "1", "null"])
def test_facts_that_cannot_be_read_are_absent(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """The files and the database are asked instead, and the next boot replaces them."""
    monkeypatch.setenv("BOOT_FACTS", text)
    assert last_handed_over() == {}
    assert handed_over(BOOT) == {}
    hand_over(BOOT, did="schema was current")
    assert handed_over(BOOT)["did"] == "schema was current"
