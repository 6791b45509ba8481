"""The commands of `alembic-boot` as a collection of Invoke, for a project's tasks.py.

from alembic_boot.tasks import collection

ns = collection()
"""

from argparse import Action
from collections.abc import Callable, Sequence
from inspect import Parameter, Signature
from shlex import split
from typing import Any

from invoke.collection import Collection
from invoke.tasks import Task, task

from alembic_boot.cli import flags_of_commands, main

_KIND = Parameter.POSITIONAL_OR_KEYWORD


def collection(
    *, config: str | None = None, name: str | None = None, x: Sequence[str] = ()
) -> Collection:
    """Return the commands as tasks: `inv migrate --dry-run` does what the command does.

    The arguments are those of the command line: `-c`, `-n` and `-x`. Settings are read as for the
    command.
    """
    options = [*(["-c", config] if config else []), *(["-n", name] if name else [])]
    options += [word for it in x for word in ("-x", it)]
    return Collection(
        *(
            _task([*options, command], text, flags)
            for command, (text, flags) in flags_of_commands().items()
        )
    )


def _task(
    words: Sequence[str], text: str | None, flags: Sequence[Action]
) -> Task[Callable[..., None]]:
    """Return the task of these words of a command line; Invoke reads its flags from a signature."""
    signature = Signature([Parameter("context", _KIND), *map(_parameter, flags)])

    def call(*arguments: Any, **named: Any) -> None:
        argv = [*words]
        given = signature.bind(*arguments, **named).arguments
        for it in flags:
            value = given.get(it.dest)
            if not it.option_strings:
                argv += ["--", *split(value)]
            elif value:
                argv.append(it.option_strings[-1] + ("" if value is True else f"={value}"))
        main(argv)

    call.__doc__ = text
    call.__signature__ = signature  # type: ignore[attr-defined]
    helps = {it.dest: it.help for it in flags}
    made: Task[Callable[..., None]] = task(auto_shortflags=False, name=words[-1], help=helps)(call)
    return made


def _parameter(flag: Action) -> Parameter:
    is_required = flag.required or not flag.option_strings
    return Parameter(flag.dest, _KIND, default=Parameter.empty if is_required else flag.default)
