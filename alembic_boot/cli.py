"""The command `alembic-boot`: glue over the same functions that the tasks of a project call.

What a command needs is imported when that command runs.
"""

import os
import shlex
import sys
from argparse import (
    REMAINDER,
    SUPPRESS,
    Action,
    ArgumentError,
    ArgumentParser,
    Namespace,
    RawDescriptionHelpFormatter,
)
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from alembic_boot import actions
from alembic_boot.alembic_words import complaint
from alembic_boot.argparse_private_names import commands, flags
from alembic_boot.commands import PREFIX, Program, program, use
from alembic_boot.errors import ConfigurationError
from alembic_boot.extras import require_psycopg2
from alembic_boot.imports import import_quickly
from alembic_boot.output.masking import hide_argument, mask
from alembic_boot.own_variables import VARIABLES

if TYPE_CHECKING:
    from alembic_boot.description import BootDescription
    from alembic_boot.settings import Settings

_DESCRIPTION = """\
Bring the database of an Alembic project to its newest schema; one process at a time.

Works where `alembic` works: in this folder, with this Python, through the project's own env.py.
The database is that of --url, else of MIGRATION_DATABASE_URL, else of DATABASE_URL, else the one
that env.py connects to by itself.
"""

Flags = Mapping[str, str | None]
"""Settings that flags set, without the beginning of their variables; None sets nothing."""

NO_FLAGS: Flags = MappingProxyType({})

_STATUSES = """\
exit statuses:
  0 done                                1 an unexpected error
  2 a setting or an option is wrong     3 the database was not reachable in time
  4 the login was refused               5 a migration failed
  6 another starter kept the lock       7 the schema is past the target, ahead, or diverged
  8 the schema is that of no revision   9 the history on disk is broken or was edited
  10 seeding failed                     11 could not serve
The last line on stderr says what happened and what to do.
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line. Raises SystemExit with the exit status, unless it is 0."""
    arguments = parsed(argv)
    try:
        require_psycopg2()
    except ConfigurationError as error:  # the log needs settings, and these need psycopg2
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_status) from None
    use(Program(options=_typed(arguments)))
    import_quickly()
    arguments.call(arguments)


def parsed(argv: Sequence[str] | None = None) -> Namespace:
    """Return the words of a command line. Raises SystemExit."""
    words = sys.argv[1:] if argv is None else list(argv)
    parser = _parser()
    try:
        options, rest = _options("x", None).parse_known_args(words, Namespace(x=[]))
    except ArgumentError:  # the parser below says so, with its usage
        options, rest = Namespace(), []
    if rest[:1] == ["help"]:
        words = [*rest[1:2], "--help"]
    elif rest and rest[0] not in ("-h", "--help", "--version", "--"):
        _refuse_others_words(parser, options, rest)
    found, unknown = parser.parse_known_args(words)
    if unknown:
        if rest:
            _refuse_others_words(parser, options, [rest[0], *unknown])
        found.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    found.x = [*found.x, *found.more_x]
    return found


def _refuse_others_words(parser: ArgumentParser, options: Namespace, words: list[str]) -> None:
    """End if there is a sentence that says what is to be typed instead of these words."""
    if words[0].startswith("-"):
        parser.error(f"unrecognized arguments: {words[0]}")
    before = program()
    use(Program(options=_typed(options)))
    said = complaint(words, commands(parser))
    use(before)
    if said:
        parser.exit(2, f"{mask(said)}\n")


class _Parser(ArgumentParser):
    """A parser whose complaints show no password of a URL."""

    def error(self, message: str) -> NoReturn:
        """End with a complaint."""
        super().error(mask(message))


class _Version(Action):
    """Prints the version of this distribution."""

    def __call__(self, parser: ArgumentParser, *_: Any) -> None:
        """Print it, and end."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version(parser.prog)
        except PackageNotFoundError:
            number = "(not installed)"
        print(parser.prog, number)  # noqa: T201 (argparse would print to stderr)
        parser.exit()


def _options(x: str, default: str | None) -> _Parser:
    """Return the options that stand before the command, or after it."""
    options = _Parser(
        add_help=False, argument_default=default, allow_abbrev=False, exit_on_error=False
    )
    options.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help="the Alembic project: alembic.ini or pyproject.toml (default: the one that is here)",
    )
    options.add_argument("-n", "--name", help="the section of alembic.ini, as `alembic -n` has it")
    options.add_argument(
        "-x",
        action="append",
        dest=x,
        metavar="ARG",
        help="an argument for env.py, as `alembic -x` has it; may be repeated",
    )
    options.add_argument(
        "--url",
        help="the database; other users of this machine can read a password in it, which "
        "they cannot in the variable DATABASE_URL",
    )
    return options


def _parser() -> _Parser:
    parser = _Parser(
        "alembic-boot",
        parents=[_options("x", None)],
        description=_DESCRIPTION,
        epilog=f"{_variables()}\n{_STATUSES}",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(x=[], more_x=[])
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    after = _options("more_x", SUPPRESS)
    adding = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, call: Callable[[Namespace], None], text: str) -> ArgumentParser:
        command = adding.add_parser(
            name, help=text, description=text, allow_abbrev=False, parents=[after]
        )
        command.set_defaults(call=call, parser=command)
        return command

    add("wait", _wait, "Wait until PostgreSQL accepts the real login.")
    migrate = add("migrate", _migrate, "Bring the schema to its newest revision.")
    migrate.add_argument(
        "--target", metavar="REVISION", help="the revision to go up to (default: head)"
    )
    shown = migrate.add_mutually_exclusive_group()
    shown.add_argument(
        "--dry-run", action="store_true", help="print the state and the plan, and change nothing"
    )
    shown.add_argument(
        "--sql",
        action="store_true",
        help="print the SQL of the pending revisions, and change nothing",
    )
    status = add("status", _status, "Show where the schema is and where it should be.")
    status.add_argument("--json", action="store_true", help="print one JSON object, for programs")
    rollback = add(
        "rollback", _rollback, "Take the schema back by one revision or to a target; asks first."
    )
    rollback.add_argument(
        "--target",
        metavar="REVISION",
        help="the revision to go down to (default: the one below the database's own)",
    )
    rollback.add_argument("--yes", action="store_true", help="go ahead without asking")
    adopt = add("adopt", _adopt, "Record the revision of a database that has none recorded.")
    adopt.add_argument("--revision", help="the revision to record, if the schema equals several")
    adopt.add_argument(
        "--restamp",
        action="store_true",
        help="replace recorded revisions that this history does not have, or has edited",
    )
    adopt.add_argument(
        "--dry-run", action="store_true", help="show which revision it is, and change nothing"
    )
    stamp = add("stamp", _stamp, "Record a revision without any check: nothing is run or compared.")
    stamp.add_argument(
        "--revision",
        required=True,
        help="the revision, heads for all branches, or base if no table is of this history",
    )
    revision = add(
        "revision",
        _revision,
        "Write a new revision from what the models have and the history has not.",
    )
    revision.add_argument("-m", "--message", required=True, help="the title of the revision")
    merge = add(
        "merge", _merge, "Write a revision that joins the heads of the history; needs no database."
    )
    merge.add_argument("-m", "--message", required=True, help="the title of the merge revision")
    check = add(
        "check",
        _check,
        "Replay the history on a scratch database: up, down, up, and equal to the models. "
        "Revisions that were applied already only go up.",
    )
    those = check.add_mutually_exclusive_group()
    those.add_argument("--since", metavar="REVISION", help="check the revisions after this one")
    those.add_argument("--all", action="store_true", help="check every revision")
    check.add_argument(
        "--format",
        choices=("text", "json", "github"),
        default="text",
        help="print the findings as JSON, or as annotations of a GitHub workflow",
    )
    start = add(
        "start", _start, "Wait, migrate, seed if asked, and serve an application with Uvicorn."
    )
    start.add_argument("--app", metavar="MODULE:NAME", help="the application to serve")
    start.add_argument("--port", help="the port to serve on (default: 8000)")
    start.add_argument(
        "--dry-run",
        action="store_true",
        help="print the state and the plan; change nothing and serve nothing",
    )
    run = add(
        "run", _run, "Wait, migrate, seed if asked, and become the command: it gets this process."
    )
    run.usage = "%(prog)s [options] -- COMMAND ..."  # argparse would show no more than `...`
    run.add_argument(
        "command", nargs=REMAINDER, metavar="-- COMMAND ...", help="such as: gunicorn app.main:app"
    )
    return parser


def flags_of_commands() -> dict[str, tuple[str | None, list[Action]]]:
    """Return the text of each command, and its flags besides those that every command has."""
    shared = {"help", *(it.dest for it in flags(_options("more_x", SUPPRESS)))}
    return {
        name: (command.description, [it for it in flags(command) if it.dest not in shared])
        for name, command in commands(_parser()).items()
    }


def _variables() -> str:
    lines = [f"  {name:<33} {meaning}" for name, (_, meaning) in VARIABLES.items()]
    return "\n".join(["variables:", *lines, ""])


def _typed(arguments: Namespace) -> tuple[str, ...]:
    """Return the options that advice repeats, without secrets; a URL is left out."""
    given = map(hide_argument, arguments.x)
    named = {"-c": [arguments.config], "-n": [arguments.name], "-x": given}
    return tuple(word for flag, all_ in named.items() for it in all_ if it for word in (flag, it))


@contextmanager
def _settings(
    arguments: Namespace, stream: str = "stdout", flags: Flags = NO_FLAGS, *, is_quiet: bool = True
) -> Iterator["Settings"]:
    """Yield the settings, with log and signals set up; failures become exit statuses."""
    from alembic_boot.output.reporting import reporting_failures
    from alembic_boot.settings import URL, load_settings

    given = {f"{PREFIX}{name}": text for name, text in flags.items() if text}
    named = {"ALEMBIC_CONFIG": arguments.config, f"{PREFIX}NAME": arguments.name}
    given |= {name: text for name, text in {**named, URL: arguments.url}.items() if text}
    load = partial(load_settings, given, tuple(arguments.x))
    with reporting_failures(load, stream, is_quiet=is_quiet) as settings:
        yield settings


@contextmanager
def _booting(
    arguments: Namespace, stream: str = "stdout", flags: Flags = NO_FLAGS
) -> Iterator["BootDescription"]:
    with _settings(arguments, stream, flags) as settings:
        from alembic_boot.booting import booting

        with booting(settings) as boot:
            yield boot


def _wait(arguments: Namespace) -> None:
    with _booting(arguments) as boot:
        actions.wait(boot)


def _migrate(arguments: Namespace) -> None:
    stream = "stderr" if arguments.dry_run or arguments.sql else "stdout"
    with _booting(arguments, stream, {"TARGET": arguments.target}) as boot:
        actions.migrate(boot, dry_run=arguments.dry_run, sql=arguments.sql)


def _status(arguments: Namespace) -> None:
    level = os.environ.get(f"{PREFIX}LOG_LEVEL") or "warning"
    with _booting(arguments, "stderr", {"LOG_LEVEL": level}) as boot:
        actions.status(boot, json=arguments.json)


def _rollback(arguments: Namespace) -> None:
    down = {"TARGET": arguments.target, "ROLLBACK": "true"}
    with _booting(arguments, flags=down) as boot:
        actions.roll_back(boot, is_one_step=not arguments.target, is_agreed=arguments.yes)


def _adopt(arguments: Namespace) -> None:
    with _booting(arguments) as boot:
        actions.adopt(
            boot, arguments.revision, restamp=arguments.restamp, dry_run=arguments.dry_run
        )


def _stamp(arguments: Namespace) -> None:
    with _booting(arguments) as boot:
        actions.stamp(boot, arguments.revision)


def _revision(arguments: Namespace) -> None:
    with _booting(arguments) as boot:
        actions.write_revision(boot, arguments.message)


def _merge(arguments: Namespace) -> None:
    with _settings(arguments) as settings:
        url = settings.migration_database_url
        actions.write_merge(settings.alembic_config, url, arguments.message)


def _check(arguments: Namespace) -> None:
    stream = "stdout" if arguments.format == "text" else "stderr"
    with _booting(arguments, stream) as boot:
        actions.check(boot, arguments.since, every=arguments.all, form=arguments.format)


def _start(arguments: Namespace) -> None:
    if arguments.dry_run:
        with _booting(arguments, "stderr") as boot:
            actions.migrate(boot, dry_run=True)
        return
    flags = {"APP": arguments.app, "PORT": arguments.port}
    with _settings(arguments, flags=flags, is_quiet=False) as settings:
        settings.require_app()
        _see_working_folder()
        from alembic_boot.booting import serving

        typed = ["start", *(["--app", arguments.app] if arguments.app else [])]
        with serving(settings, shlex.join(typed)) as (boot, port):
            actions.start(boot, port)


def _run(arguments: Namespace) -> None:
    from alembic_boot.situation import begin_boot

    begin_boot()
    command = arguments.command[arguments.command[:1] == ["--"] :]
    with _settings(arguments, is_quiet=False) as settings:
        from alembic_boot.booting import booting, probed
        from alembic_boot.serving.replacement import find_program, replace_process
        from alembic_boot.start import prepare

        program = find_program(command)
        settings.refuse_embedded()
        if settings.seed:
            _see_working_folder()
        typed = f"run -- {shlex.quote(command[0])} …"  # its arguments may be secret
        with probed(settings, typed), booting(settings) as boot:
            prepare(boot)
        replace_process(program, command)


def _see_working_folder() -> None:
    """Find modules in the working folder first, as Uvicorn does."""
    import alembic  # noqa: F401 (before a folder of that name can hide it)

    sys.path.insert(0, str(Path.cwd()))
