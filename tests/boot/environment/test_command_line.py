"""A project's configuration is what Alembic's own command line makes of the same arguments."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.config import CommandLine, Config
from alembic.script import ScriptDirectory

from alembic_boot.description import AlembicConfig
from alembic_boot.environment.command_line import options, options_to_upgrade, read_config
from alembic_boot.environment.opening import open_project
from alembic_boot.errors import ConfigurationError, MigrationFailedError
from alembic_boot.postgres.urls import parse_database_url
from tests.rights import rights_of_the_files

URL = parse_database_url("postgresql://owner@h/db")

INI = """
[alembic]
script_location = %(here)s/scripts
schema = ops
[second]
script_location = scripts
schema = %(here)s/second
"""
TOML = """
[tool.alembic]
script_location = "%(here)s/other"
file_template = "%%(rev)s_of_toml"
prepend_sys_path = ["."]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("scripts", "other"):
        (tmp_path / name / "versions").mkdir(parents=True)
    return tmp_path


def by_alembic(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> Config:
    """Return what Alembic's own command line gives to a command, run in the project's folder."""
    found: list[Config] = []
    monkeypatch.setattr(
        CommandLine, "run_cmd", lambda _self, config, _options: found.append(config)
    )
    monkeypatch.chdir(folder)
    monkeypatch.delenv("ALEMBIC_CONFIG", raising=False)
    CommandLine().main([*arguments, "upgrade", "head"])
    return found[0]


def content(config: Config, folder: Path) -> dict[str, Any]:
    """Return all that an env.py can ask for, paths made absolute."""
    return {
        "ini": str(folder / str(config.config_file_name)),
        "toml": str(folder / str(config.toml_file_name)),
        "section": config.config_ini_section,
        "sections": {
            it: {k: v for k, v in config.get_section(it, {}).items() if k != "sqlalchemy.url"}
            for it in config.file_config.sections()
        },
        "tool": config.toml_alembic_config,
        "template": config.get_alembic_option("file_template"),
        "location": config.get_alembic_option("script_location"),
        "x": None if config.cmd_opts is None else config.cmd_opts.x,
        "name": None if config.cmd_opts is None else config.cmd_opts.name,
    }


@pytest.mark.parametrize("named", ["alembic.ini", "pyproject.toml"])
@pytest.mark.parametrize(
    ("ini", "toml"),
    [
        (INI, TOML),
        (INI, "[project]\nname = 'theirs'\n"),
        ("[alembic]\nschema = ops\n", TOML),
        ("[loggers]\nkeys = root\n[alembic]\n", TOML),
    ],
)
def test_both_files_are_read(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    named: str,
    ini: str,
    toml: str,
) -> None:
    """Whichever of the two is named."""
    for name, text in (("alembic.ini", ini), ("pyproject.toml", toml)):
        (folder / name).write_text(text)
    expected = content(by_alembic(monkeypatch, folder), folder)
    assert content(read_config(AlembicConfig(folder / named)), folder) == expected


def test_an_alembic_ini_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other file need not be there."""
    (folder / "alembic.ini").write_text(INI)
    expected = content(by_alembic(monkeypatch, folder), folder)
    assert content(read_config(AlembicConfig(folder / "alembic.ini")), folder) == expected


def test_a_pyproject_toml_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """env.py finds no file to read the logging from, and a section without options.

    It is the same in a `Config` that an application makes. Alembic's command line names a file
    that is not there, and many an env.py fails on that.
    """
    (folder / "pyproject.toml").write_text(TOML)
    expected = content(by_alembic(monkeypatch, folder), folder)
    config = read_config(AlembicConfig(folder / "pyproject.toml"))
    assert (config.config_file_name, config.get_main_option("sqlalchemy.url")) == (None, None)
    different = {"ini", "sections"}
    assert {k: v for k, v in content(config, folder).items() if k not in different} == {
        k: v for k, v in expected.items() if k not in different
    }


def test_a_configuration_of_another_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only pyproject.toml is TOML, as for Alembic."""
    (folder / "theirs.cfg").write_text(INI)
    (folder / "pyproject.toml").write_text(TOML)
    (folder / "alembic.ini").write_text("[alembic]\nschema = wrong\n")
    expected = content(by_alembic(monkeypatch, folder, "-c", "theirs.cfg"), folder)
    assert content(read_config(AlembicConfig(folder / "theirs.cfg")), folder) == expected


def test_a_section_and_arguments(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As -n and -x give them."""
    (folder / "alembic.ini").write_text(INI)
    given = ("-n", "second", "-x", "tenant=a", "-x", "note=two words", "-x", "dry")
    expected = content(by_alembic(monkeypatch, folder, *given), folder)
    arguments = ("tenant=a", "note=two words", "dry")
    found = read_config(AlembicConfig(folder / "alembic.ini", "second", arguments))
    assert content(found, folder) == expected


def test_the_options_are_alembics_own() -> None:
    """They are written down, because parsing takes long; what they are is Alembic's to say."""
    alembic = AlembicConfig(Path("alembic.ini"), "second", ("a=1",))
    assert options_to_upgrade(alembic) == options(alembic, "--quiet", "upgrade", "head")


@pytest.mark.parametrize("name", ["scond", "loggers"])
def test_a_section_that_is_not_there(folder: Path, name: str) -> None:
    """A wrong name would otherwise mean a project without options."""
    (folder / "alembic.ini").write_text(INI)
    (folder / "pyproject.toml").write_text(TOML)
    with pytest.raises(ConfigurationError) as caught:
        read_config(AlembicConfig(folder / "pyproject.toml", name))
    assert str(caught.value) == (
        f"{folder}/alembic.ini has no section [{name}]. "
        "Set ALEMBIC_NAME, or -n, to one of its sections: alembic, second."
    )


def test_a_section_of_no_file(folder: Path) -> None:
    """Sections are those of alembic.ini; a file that is not there is not said to lack one."""
    (folder / "pyproject.toml").write_text(TOML)
    with pytest.raises(ConfigurationError) as caught:
        read_config(AlembicConfig(folder / "pyproject.toml", "nope"))
    assert str(caught.value) == (
        f"There is no section [nope], because there is no {folder}/alembic.ini. "
        "Unset ALEMBIC_NAME, or leave -n out: pyproject.toml has no sections."
    )


def test_sections_of_other_names_alone(folder: Path) -> None:
    """Without a name, the sections that are there are named."""
    sections = "".join(f"[{it}]\nscript_location = x\n" for it in ("billing", "catalog", "loggers"))
    (folder / "alembic.ini").write_text(sections)
    with pytest.raises(ConfigurationError) as caught:
        read_config(AlembicConfig(folder / "alembic.ini"))
    assert str(caught.value) == (
        f"{folder}/alembic.ini has no section [alembic]. "
        "Set ALEMBIC_NAME, or -n, to one of its sections: billing, catalog."
    )


@pytest.mark.parametrize("wrong", ["alembic.ini", "pyproject.toml"])
@pytest.mark.parametrize("named", ["alembic.ini", "pyproject.toml"])
def test_a_file_that_cannot_be_read(folder: Path, named: str, wrong: str) -> None:
    """It is the one that is named in the refusal."""
    (folder / "alembic.ini").write_text(INI)
    (folder / "pyproject.toml").write_text(TOML)
    (folder / wrong).write_text("neither ini nor toml\n")
    with pytest.raises(ConfigurationError) as caught:
        read_config(AlembicConfig(folder / named))
    assert caught.value.what.startswith(f"{folder / wrong} describes no Alembic project: ")


@pytest.mark.parametrize("closed", ["alembic.ini", "pyproject.toml"])
def test_a_file_that_this_user_may_not_read(folder: Path, closed: str) -> None:
    """Alembic itself would take an unreadable alembic.ini for an empty one."""
    (folder / "alembic.ini").write_text(INI)
    (folder / "pyproject.toml").write_text(TOML)
    (folder / closed).chmod(0)
    with rights_of_the_files(), pytest.raises(ConfigurationError) as caught:
        read_config(AlembicConfig(folder / "alembic.ini"))
    assert str(caught.value) == (
        f"{folder / closed} cannot be read: Permission denied. Fix the path or its rights."
    )


UNREACHABLE = {
    "closed/alembic.ini": "Permission denied",
    "loop": "Too many levels of symbolic links",
    "a" * 300: "File name too long",
}


@pytest.mark.parametrize("name", UNREACHABLE, ids=UNREACHABLE.values())
def test_a_path_that_leads_nowhere(folder: Path, name: str) -> None:
    """Whether the file exists cannot be told, and the sentence says why."""
    (folder / "closed").mkdir(mode=0)
    (folder / "loop").symlink_to("loop")
    with rights_of_the_files(), pytest.raises(ConfigurationError) as caught:
        read_config(AlembicConfig(folder / name))
    assert str(caught.value) == (
        f"{folder / name} cannot be read: {UNREACHABLE[name]}. Fix the path or its rights."
    )
    (folder / "closed").chmod(0o755)


LOCATIONS = {
    "none": "",
    "of old": "version_locations = scripts/versions more %(here)s/third\n",
    "os": "path_separator = os\nversion_locations = scripts/versions:more\n"
    "prepend_sys_path = .:src\n",
    "newline": "path_separator = newline\nversion_locations =\n  scripts/versions\n  a b\n",
    "space": "path_separator = space\nversion_locations = scripts/versions more\n",
    "package": "path_separator = newline\nversion_locations =\n  json:tool\n  more\n",
    "recursive": "recursive_version_locations = true\n",
    "sourceless": "sourceless = true\ntruncate_slug_length = 9\nfile_template = %%(slug)s\n",
}


def directory(scripts: ScriptDirectory, before: list[str]) -> dict[str, Any]:
    """Return what Alembic knows of a project's folders, and those that Python looks into first."""
    return {
        "folder": Path(scripts.dir).absolute(),
        "locations": list(scripts._version_locations),
        "first": [Path(it).absolute() for it in sys.path[: len(sys.path) - len(before)]],
        "template": scripts.file_template,
        "length": scripts.truncate_slug_length,
        "flags": (scripts.sourceless, scripts.recursive_version_locations),
    }


@pytest.mark.parametrize("more", LOCATIONS.values(), ids=LOCATIONS)
@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.filterwarnings("ignore:No path_separator found:DeprecationWarning")
def test_relative_paths(
    folder: Path, monkeypatch: pytest.MonkeyPatch, more: str, elsewhere: bool
) -> None:
    """They mean what they mean to Alembic in that folder, wherever this process works."""
    (folder / "alembic.ini").write_text(f"[alembic]\nscript_location = scripts\n{more}")
    before = sys.path[:]
    monkeypatch.setattr(sys, "path", before[:])
    expected = directory(ScriptDirectory.from_config(by_alembic(monkeypatch, folder)), before)
    monkeypatch.setattr(sys, "path", before[:])
    monkeypatch.chdir("/" if elsewhere else folder)
    alembic = AlembicConfig(Path(os.path.relpath(folder / "alembic.ini")))
    for _ in range(2):  # a process may open a project more than once
        project = open_project(alembic, URL, may_be_empty=True)
    monkeypatch.chdir("/")
    assert directory(project.scripts, before) == expected
    assert project.config.get_alembic_option("script_location") == "scripts"


def test_the_folder_is_a_project_s_own_while_it_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code that opens a file finds it as where people run Alembic."""
    (folder / "alembic.ini").write_text(INI)
    monkeypatch.chdir("/")
    project = open_project(AlembicConfig(folder / "alembic.ini"), URL, may_be_empty=True)
    with project.running():
        assert Path.cwd() == folder
    assert Path.cwd() == Path("/")
    with pytest.raises(MigrationFailedError), project.running():
        raise RuntimeError
    assert Path.cwd() == Path("/")
