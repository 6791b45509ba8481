"""Words of Alembic's command line that `alembic-boot` has another word for, and misspelt words."""

import re
import shlex
from collections.abc import Collection, Mapping, Sequence

from alembic_boot.commands import alembic_as_typed, as_typed

OURS: Mapping[str, str] = {
    "upgrade": "migrate",
    "downgrade": "rollback",
    "current": "status",
    "heads": "status",
    "ensure_version": "migrate",
}
"""Alembic's command → the command that does the same."""

ONLY_ALEMBICS = ("branches", "edit", "history", "init", "list_templates", "show")
"""Commands that Alembic alone has."""

_GOALS: Mapping[str, str] = {
    "migrate": "--target",
    "rollback": "--target",
    "stamp": "--revision",
    "adopt": "--revision",
}
"""The flag that names a revision, which in Alembic stands without a flag."""

_USUAL = {"migrate": "head", "rollback": "-1"}
"""What a command does without a revision, in Alembic's word."""

_WORD = re.compile(r"[^-].*|-\d+", re.DOTALL)
"""A word that is no flag: -1 is a revision."""


def complaint(words: Sequence[str], commands: Collection[str]) -> str | None:
    """Return one sentence with the command line that is meant; None if nothing is wrong here.

    `words` are a command and what follows it, `commands` are those that exist.
    """
    command, *rest = words
    if command in commands:
        return _misplaced(command, rest)
    what = f"alembic-boot has no command {command!r}"
    near = [command] if command in {*OURS, *ONLY_ALEMBICS} else _near(command, commands)
    match near:
        case []:
            return f"{what}: `{as_typed('--help')}` lists the commands."
        case [word] if word in OURS:
            return f"{what}: `{_typed(OURS[word], rest)}` does that."
        case [word] if word in ONLY_ALEMBICS:
            return f"{what}: `{alembic_as_typed(word, 'alembic')}` is still there for that."
    names = dict.fromkeys(OURS.get(word, word) for word in near)
    return f"{what}. Did you mean {' or '.join(f'`{as_typed(name)}`' for name in names)}?"


def _misplaced(command: str, rest: Sequence[str]) -> str | None:
    if command == "revision" and "--autogenerate" in rest:
        return f"`revision` always compares with the models: type `{_titled(command)}`."
    if command == "merge" and rest and _WORD.fullmatch(rest[0]):
        return f"`merge` joins all heads: type `{_titled(command)}`."
    if command in _GOALS and rest and _WORD.fullmatch(rest[0]):
        if rest[0] == _USUAL.get(command):
            return f"`{command}` needs no {rest[0]!r}: type `{_typed(command, rest)}`."
        return f"A revision of `{command}` needs a flag: type `{_typed(command, rest)}`."
    return None


def _titled(command: str) -> str:
    return as_typed(f'{command} --message "…"')


def _typed(command: str, rest: Sequence[str]) -> str:
    """Return the command line that does what Alembic's does with these words."""
    word = next((it for it in rest if _WORD.fullmatch(it)), None)
    if word is None or command not in _GOALS or word == _USUAL.get(command):
        return as_typed(command)
    if word[0] in "+-":  # a number of steps would mean another revision at every start
        word = "REVISION"
    return as_typed(f"{command} {_GOALS[command]} {shlex.quote(word)}")


def _near(word: str, commands: Collection[str]) -> list[str]:
    from difflib import get_close_matches

    known = [*commands, *OURS, *ONLY_ALEMBICS]
    begun = [it for it in known if word and it.startswith(word)]
    return begun or get_close_matches(word, known, n=1)
