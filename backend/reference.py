"""Write the pages that are made from the code: docs/reference.md and .env.example."""

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from pathlib import Path
from types import MappingProxyType
from typing import Any

from invoke.collection import Collection

from alembic_boot.commands import PREFIX
from alembic_boot.own_variables import VARIABLES as OF_THE_COMMAND
from backend import PROGRAM
from backend.uses import USES
from backend.variables import VARIABLES, VARIABLES_OF, Use

EXIT_STATUSES: Mapping[str, str] = MappingProxyType(
    {
        "0": "done, or stopped while serving",
        "1": "an unexpected error",
        "2": "a setting is wrong, or a package that the project imports is not installed",
        "3": "the database was not reachable in time",
        "4": "the login was refused, or the database is missing and not to be created",
        "5": "a migration failed",
        "6": "another starter kept the schema locked too long",
        "7": "the schema is past the target, ahead of this release, or has diverged from its "
        "history",
        "8": "the schema is that of no revision or of several, and the one recorded is missing or "
        "unknown",
        "9": "the history on disk is broken, has an id that cannot be recorded, or is not the one "
        "that was applied",
        "10": "seeding failed",
        "11": "could not serve: the port, the application or `.data`",
        "12": "no container engine, or it refused, or a container did not become healthy",
        "129, 130, 143": "stopped by SIGHUP, Ctrl-C or SIGTERM before serving",
        "141": "the reader of the output has gone, as `head` does",
    }
)
"""Exit status → what it means. A test holds the numbers against alembic_boot/errors.py."""

_HEAD = """\
# Reference

This page lists every task with its flags, every setting, and every exit status. It is made from the
code: `.venv/bin/inv reference` writes it, and a test compares the two. Do not edit it by hand.

- MoriAI: [tasks](#tasks), [settings](#settings),
  [which task reads which setting](#which-task-reads-which-setting)
- The command `alembic-boot`: [settings](#settings-of-alembic-boot)
- Both: [exit statuses](#exit-statuses)
"""

_TASKS = """\
All tasks run as `.venv/bin/inv TASK`, and `.venv/bin/inv --help TASK` explains the flags of one.
`make help` lists the tasks that have a target of `make`. Only `-n` and `-x` have a short form: they
are Alembic's. `inv ci` is `ci.all`.
"""

_SETTINGS = """\
Settings are environment variables. In development (`APP_ENV` unset or `dev`) a `.env` file is read
as well, and the environment wins. An empty value counts as unset. [`.env.example`](../.env.example)
has them all. [Operations](operations.md#settings) explains URLs and passwords.
"""

_READERS = """\
A task reads the settings that it uses, and no others. A wrong `BACKEND_PORT` never stops
`inv migrate`.
"""

_COMMAND = """\
The command `alembic-boot`, for [other projects](other-projects.md), reads these and no others. It
reads no `.env` file. `alembic-boot --help` has the same list, and `alembic-boot COMMAND --help` has
the flags. Other pages use the names of MoriAI's tasks: `inv migrate` and `make migrate` are
`alembic-boot migrate`, and the second column has the names of the settings.
"""

_STATUSES = """\
The last line on stderr says what happened and what to do. `make` turns every failure into 2.
"""

_ENV_HEAD = """\
# Every setting, with its default. Copy this file to .env and remove the `#` before what you change.
# A .env file counts in development only (APP_ENV unset or dev), and the environment wins.
# Written by `.venv/bin/inv reference`; docs/reference.md has the same list.
"""


def write_reference(root: Path, tasks: Collection) -> list[Path]:
    """Write both files below `root` and return their paths."""
    pages = {root / "docs/reference.md": reference(tasks), root / ".env.example": env_example()}
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
    return list(pages)


def reference(tasks: Collection) -> str:
    """Return the text of docs/reference.md."""
    parts = (
        _HEAD,
        "## Tasks\n",
        _TASKS,
        _table(("task", "what it does"), _task_rows(tasks)),
        *_task_sections(tasks),
        "## Settings\n",
        _SETTINGS,
        _table(("name", "default", "meaning"), _rows(VARIABLES)),
        "### Which task reads which setting\n",
        _READERS,
        _table(("settings", "read by"), _reader_rows()),
        "## Settings of alembic-boot\n",
        _COMMAND,
        _table(("name", "for MoriAI's tasks", "default", "meaning"), _command_rows()),
        "## Exit statuses\n",
        _STATUSES,
        _table(("status", "meaning"), EXIT_STATUSES.items()),
    )
    return "\n".join(parts)


def env_example() -> str:
    """Return the text of .env.example: each setting with its default, as a comment."""
    lines = [_ENV_HEAD]
    for name, (default, meaning, _) in VARIABLES.items():
        lines += [f"# {_plain(meaning)}"]
        if default and not _is_value(default):
            lines += [f"# Default: {_plain(default)}"]
        lines += [f"#{name}={default if _is_value(default) else ''}", ""]
    return "\n".join(lines).rstrip() + "\n"


def _is_value(default: str) -> bool:
    """Return whether a default is what a person would write, and not a description of it."""
    return " " not in default and default not in VARIABLES


def _plain(text: str) -> str:
    return text.replace("`", "")


def flags_of(task: Any) -> list[tuple[str, str]]:
    """Return the flags of a task, as they are typed, each with its help text."""
    spare = copy(task)
    spare.help = dict(task.help)  # Invoke takes each text out of it
    return [(_flag(it.name), it.help or "") for it in spare.get_arguments()]


def _names(tasks: Collection) -> list[str]:
    """Return the names of the tasks; those of the pipeline come last."""
    return sorted(tasks.task_names, key=lambda name: ("." in name, name))


def _paragraphs(tasks: Collection, name: str) -> list[str]:
    return [" ".join(text.split()) for text in (tasks[name].__doc__ or "").split("\n\n")]


def _task_rows(tasks: Collection) -> Iterator[tuple[str, ...]]:
    for name in _names(tasks):
        yield f"[`{name}`](#{name.replace('.', '')})", _paragraphs(tasks, name)[0]


def _task_sections(tasks: Collection) -> Iterator[str]:
    for name in _names(tasks):
        yield f"### `{name}`\n"
        yield "\n\n".join(_paragraphs(tasks, name)).strip() + "\n"
        rows = flags_of(tasks[name])
        if rows:
            yield _table(("flag", "meaning"), rows)


def _flag(name: str) -> str:
    plain = name.strip("_").replace("_", "-")
    return f"`-{plain}`" if len(plain) == 1 else f"`--{plain}`"


def _rows(variables: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    for name, (default, meaning, *_) in variables.items():
        yield f"`{name}`", default or "—", meaning


def _command_rows() -> Iterator[tuple[str, ...]]:
    for name, *others in _rows(OF_THE_COMMAND):
        plain = name.strip("`")
        same = plain if plain in VARIABLES else ""
        theirs = PROGRAM.settings.get(plain.removeprefix(PREFIX), same)
        yield name, f"`{theirs}`" if theirs else "—", *others


def _reader_rows() -> Iterator[tuple[str, ...]]:
    for use in Use:
        readers = [f"`{task}`" for task in USES if task != "preview" and use in USES[task]]
        names = ", ".join(f"`{name}`" for name in VARIABLES_OF[use])
        yield names, "every task" if use is Use.LOG else ", ".join(readers)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    cells = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells) + "\n"
