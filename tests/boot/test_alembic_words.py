"""What a person types who knows Alembic, and what the command says."""

from collections.abc import Iterator

import pytest
from alembic.config import CommandLine

from alembic_boot.alembic_words import ONLY_ALEMBICS, OURS
from alembic_boot.argparse_private_names import commands
from alembic_boot.cli import flags_of_commands, parsed
from alembic_boot.commands import Program, program, use
from tests.cluster import PASSWORD


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let advice name the program as if PATH led to it; forget its options afterwards."""
    before = program()
    monkeypatch.setattr("alembic_boot.commands._path", lambda name: name)
    use(Program())
    yield
    use(before)


def said(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what is said about a wrong command line, which ends with 2."""
    with pytest.raises(SystemExit) as end:
        parsed(line.split())
    found = capsys.readouterr()
    assert (end.value.code, found.out) == (2, "")
    return found.err


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("upgrade head", "migrate"),
        ("upgrade heads", "migrate --target heads"),
        ("upgrade", "migrate"),
        ("upgrade a1b2", "migrate --target a1b2"),
        ("upgrade +1", "migrate --target REVISION"),
        ("-c their.ini upgrade head", "-c their.ini migrate"),
        ("upgrade head -c their.ini", "-c their.ini migrate"),
        ("-x tenant=a upgrade head", "-x tenant=a migrate"),
        ("downgrade -1", "rollback"),
        ("downgrade -2", "rollback --target REVISION"),
        ("downgrade base", "rollback --target base"),
        ("current", "status"),
        ("current -v", "status"),
        ("heads", "status"),
        ("ensure_version", "migrate"),
        ("upgrad head", "migrate"),
        ("downgrad base", "rollback --target base"),
    ],
)
def test_a_command_of_alembic(line: str, typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence names what does the same, with the options that were typed."""
    err = said(line, capsys)
    assert err.startswith("alembic-boot has no command '")
    assert err.endswith(f": `alembic-boot {typed}` does that.\n")


@pytest.mark.parametrize("word", ONLY_ALEMBICS)
def test_a_command_that_alembic_alone_has(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(word, capsys) == (
        f"alembic-boot has no command {word!r}: `alembic {word}` is still there for that.\n"
    )


def test_every_command_of_alembic_is_known() -> None:
    """A newer Alembic may have another one."""
    alembics = set(commands(CommandLine().parser))
    assert alembics == {*OURS, *ONLY_ALEMBICS} | (alembics & set(flags_of_commands()))
    assert set(OURS.values()) <= set(flags_of_commands())


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("migrat", "`alembic-boot migrate`"),
        ("stat", "`alembic-boot status`"),
        ("sta", "`alembic-boot status` or `alembic-boot stamp` or `alembic-boot start`"),
        ("adpot", "`alembic-boot adopt`"),
        ("roll-back", "`alembic-boot rollback`"),
    ],
)
def test_a_misspelt_command(line: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The nearest command is named, or those that begin like it."""
    assert said(line, capsys) == f"alembic-boot has no command {line!r}. Did you mean {meant}?\n"


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("migrate head", "migrate"),
        ("migrate a1b2", "migrate --target a1b2"),
        ("rollback -1", "rollback"),
        ("rollback base", "rollback --target base"),
        ("rollback --yes base", "rollback --target base"),
        ("stamp head", "stamp --revision head"),
        ("adopt a1b2", "adopt --revision a1b2"),
        ("revision --autogenerate -m x", 'revision --message "…"'),
        ("revision --autogenerate", 'revision --message "…"'),
        ("merge a1 b2 -m x", 'merge --message "…"'),
        ("merge heads", 'merge --message "…"'),
    ],
)
def test_words_after_a_command(line: str, typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where Alembic takes a revision without a flag, the flag is named."""
    err = said(line, capsys)
    assert err.endswith(f": type `alembic-boot {typed}`.\n")
    assert "usage" not in err


@pytest.mark.parametrize(
    ("line", "usage", "unknown"),
    [
        ("status head", "alembic-boot status ", "head"),
        ("migrate --targ x", "alembic-boot migrate ", "--targ x"),
        ("check --al", "alembic-boot check ", "--al"),
        ("-v upgrade head", "alembic-boot ", "-v"),
        ("--ulr x migrate", "alembic-boot ", "--ulr"),
    ],
)
def test_unknown_arguments(
    line: str, usage: str, unknown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The usage is that of the command that was typed."""
    err = said(line, capsys)
    assert err.startswith(f"usage: {usage}[-h]")
    assert f"error: unrecognized arguments: {unknown}\n" in err


def test_nothing_that_matches(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a likely word the help is named; a URL shows no password."""
    assert said("qqqq", capsys) == (
        "alembic-boot has no command 'qqqq': `alembic-boot --help` lists the commands.\n"
    )
    for line in ("{} wait", "migrate {}", "upgrade {}"):
        assert PASSWORD not in said(line.format(f"postgresql://u:{PASSWORD}@h/d"), capsys)


@pytest.mark.parametrize(
    ("line", "usage"),
    [("help", "usage: alembic-boot [-h]"), ("help migrate", "usage: alembic-boot migrate [-h]")],
)
def test_help_is_a_word_too(line: str, usage: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the help, of the whole or of a command."""
    with pytest.raises(SystemExit) as end:
        parsed(line.split())
    assert (end.value.code, capsys.readouterr().out[: len(usage)]) == (0, usage)


def test_what_run_becomes_is_not_looked_at() -> None:
    """Its words are another program's."""
    assert parsed(["run", "--", "upgrade", "head", "-v"]).command[-3:] == ["upgrade", "head", "-v"]
