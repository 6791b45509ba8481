"""The tables of the pages are held against the code, so that neither drifts from the other."""

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import tasks
from alembic_boot import errors
from alembic_boot.commands import PREFIX
from alembic_boot.output.log_fields import Event
from alembic_boot.own_variables import VARIABLES as OF_THE_COMMAND
from alembic_boot.state.inspection import SchemaState
from backend import PROGRAM
from backend.reference import EXIT_STATUSES, env_example, flags_of, reference, write_reference
from backend.schemas.problems import ProblemType
from backend.settings import load_settings
from backend.stack.compose import model
from backend.variables import VARIABLES

ROOT = Path(__file__).parents[1]
STALE = "The code has changed: write the file again with `.venv/bin/inv reference`."


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def rows(name: str, section: str) -> list[list[str]]:
    """Return the cells of the table in a section of a page, without its head."""
    [text] = re.findall(rf"^#+ {re.escape(section)}\n(.*?)(?=^#+ |\Z)", page(name), re.S | re.M)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_exit_status_is_there() -> None:
    """The table names each status that a failure can have, and the fixed ones."""
    listed = {int(number) for key in EXIT_STATUSES for number in key.split(",")}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    statuses = {kind.exit_status for kind in kinds if issubclass(kind, errors.BootError)}
    assert listed == statuses | {0, 1, 129, 130, 141, 143}


def test_every_event_is_there() -> None:
    """The table names each event of the log, in the code's order."""
    listed = [cells[0].strip("`") for cells in rows("operations.md", "Events in JSON logs")]
    assert listed == list(get_args(Event))


def test_every_problem_is_there() -> None:
    """The table names each type that a client may meet."""
    listed = {cells[0].strip("`") for cells in rows("api.md", "Errors")}
    kinds = {kind.removeprefix("urn:moriai:problem:") for kind in ProblemType}
    assert listed == kinds - {ProblemType.OTHER}


def test_the_reference_is_what_the_code_says() -> None:
    """`inv reference` writes it."""
    assert page("reference.md") == reference(tasks.ns), STALE


def test_both_files_are_written(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for path in write_reference(tmp_path, tasks.ns):
        copy = ROOT / path.relative_to(tmp_path)
        assert path.read_text(encoding="utf-8") == copy.read_text(encoding="utf-8")


def test_the_names_of_both_programs() -> None:
    """Each name that MoriAI's tasks have for a setting of the command is a setting of both."""
    assert {f"{PREFIX}{it}" for it in PROGRAM.settings} <= OF_THE_COMMAND.keys()
    assert set(PROGRAM.settings.values()) <= VARIABLES.keys()


def test_the_reference_has_every_task_with_its_flags() -> None:
    """Each flag has a meaning."""
    for name in tasks.ns.task_names:
        found = rows("reference.md", f"`{name}`")
        assert [cells[0] for cells in found] == [
            flag for flag, _meaning in flags_of(tasks.ns[name])
        ]
        assert all(cells[1] for cells in found), name


def test_the_example_of_an_env_file_is_what_the_code_says() -> None:
    """`inv reference` writes it; each setting is there, in order."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert text == env_example(), STALE
    assert re.findall(r"^#([A-Z_]+)=", text, re.M) == list(VARIABLES)


def test_the_example_of_an_env_file_changes_nothing(tmp_path: Path) -> None:
    """As it is, and with every line taken: the values are the defaults."""
    file = tmp_path / ".env"
    text = env_example()
    file.write_text(text, encoding="utf-8")
    plain = load_settings({}, tmp_path / "absent")
    assert load_settings({}, file) == plain
    file.write_text(re.sub(r"^#([A-Z_]+=)", r"\1", text, flags=re.M), encoding="utf-8")
    found = load_settings({}, file)
    assert found.schema.target == "head"  # which is what no target means
    assert replace(found, schema=plain.schema) == plain


def test_every_state_is_there() -> None:
    """The table names each state, and the section below it says what to do in it."""
    states = {state.value for state in SchemaState}
    assert states == {cells[0].strip("`") for cells in rows("boot-states.md", "The seven states")}
    section = page("boot-states.md").split("## What to do in which state")[1].split("\n## ")[0]
    assert states == set(re.findall(r"\*\*(\w+)\*\*", section))


# What troubleshooting.md quotes → the words of it that stand in the code; None where others say it.
QUOTED: dict[str, str | None] = {
    "Port 8000 on 127.0.0.1 is taken.": "is taken.",
    "was not reachable within 60 s: Connection refused": "was not reachable within",
    "it is a standby, and this needs the primary": "it is a standby, and this needs the primary",
    "A pooler stands in between": "A pooler stands in between",
    "could not translate host name": None,
    "PostgreSQL refused the login": "PostgreSQL refused the login at ",
    "password authentication failed for user": None,
    "an old volume keeps its first password": "an old volume keeps its first password",
    "which neither libpq nor the driver knows": "which neither libpq nor the driver knows",
    "which the driver asyncpg takes from no URL": "takes from no URL",
    "with a value that libpq does not take": "with a value that libpq does not take",
    "names the driver": "names the driver ",
    "names a driver that cannot be used here": "names a driver that cannot be used here",
    "a service, which no service file has": "which no service file has",
    "connects without asyncio": "connects without asyncio",
    "The file with the password cannot be read": "The file with the password cannot be read",
    "POSTGRES_PASSWORD_FILE cannot be read": None,
    "DATABASE_URL is malformed.": "is malformed.",
    "Waiting for another starter": "Waiting for another starter",
    "keeps … locked, so the schema's state cannot be read": (
        "locked, so the schema's state cannot be read"
    ),
    "Row level security may hide rows of": "Row level security may hide rows of",
    "Row level security keeps the role": "Row level security keeps the role",
    "Seeding failed: row level security may hide rows of": (
        "Seeding failed: row level security may hide rows of"
    ),
    "may not read": "may not read",
    "may not use the schema": "may not use the schema",
    "ended the session": " ended the {what}",
    "ended the statement": " ended the {what}",
    "is blocked by": "is blocked by",
    "A revision ended its transaction itself": "A revision ended its transaction itself",
    "it rolled back its own transaction": "it rolled back its own transaction",
    "A starter died during a migration": "A starter died during a migration",
    "needs the package …, which is not installed": "needs the package ",
    "describes no Alembic project": "describes no Alembic project",
    "has no section [": "has no section [",
    "Kubernetes has set it for a Service": "Kubernetes has set it for a Service",
    "is no setting; did you mean": "is no setting; ",
    "connects to another database than the one it was given": (
        "connects to another database than the one it was given"
    ),
    "was edited after it was applied": "was edited after it was applied",
    "was moved after it was applied": "was moved after it was applied",
    "the same id is there twice": "the same id is there twice",
    "longer than the 32 characters of version_num": "characters of version_num in",
    "characters that the encoding of the database": (
        "characters that the encoding of the database"
    ),
    "which has no place in this history": "which has no place in this history",
    "The schema is that of no revision": "The schema is that of no revision",
    "The history has 2 heads": "The history has",
    "so one step down could mean several things": "so one step down could mean several things",
    "is not in this release's history": "this release's history",
    "ahead of this release, whose head is": "ahead of this release, whose head is ",
    "Database migrations failed, but continuing...": (
        "Database migrations failed, but continuing..."
    ),
    "Some requests fail, and others like them do not": (
        "Some requests fail, and others like them do not"
    ),
    "Requests fail on this schema": "Requests fail on this schema",
    "The models and the schema differ": "The models and the schema differ",
    "the models and the migrations differ": "the models and the migrations differ",
    "The models could not be compared with the schema": (
        "The models could not be compared with the schema"
    ),
    "The embedded PostgreSQL under .data cannot be used": "cannot be used: {detail}.",
    "names the Docker context …, which does not exist": "names the Docker context ",
    "so it is unknown which engine is meant": "so it is unknown which engine is meant",
    "is reached through SSH, which needs": "is reached through SSH, which needs",
    "gave no credentials; going on without them": "gave no credentials; going on ",
    "No container engine answers": "No container engine answers",
    "This user may not talk to the container engine": (
        "This user may not talk to the container engine"
    ),
    "is not here, and could not be pulled": "is not here, and could not be pulled",
    "There is a stack moriai already": "There is a stack ",
    "a key that is not supported here": "a key that is not supported here",
    "without quotes YAML reads it as a number": "without quotes YAML reads ",
    "does not begin with a variable's name": "does not begin with a variable's name",
    "no variable's name follows ${": "no variable's name follows ${",
    "keeps the password that its database was made with": "its database was made with",
    "cannot be sent to the engine": "cannot be sent to the engine",
    "No events are heard, trying again": "No events are heard, trying again: ",
    "ensurepip is not available": None,
    "Another tool made .venv": "Another tool made $(VENV)",
    "Python 3.11 or newer is needed": "Python 3.11 or newer is needed",
}


def test_troubleshooting_quotes_what_is_said() -> None:
    """Each text that the page explains is one that the code, or a library, really prints."""
    assert [cells[0].strip("`") for cells in rows("troubleshooting.md", "Messages")] == list(QUOTED)
    code = (ROOT / "Makefile").read_text() + "".join(
        path.read_text()
        for room in ("alembic_boot", "backend/stack", "backend/events")
        for path in (ROOT / room).rglob("*.py")
    )
    assert [words for words in QUOTED.values() if words and words not in code] == []


def test_make_help_lists_every_target() -> None:
    """`make help` has a line for each target that people are to type."""
    makefile = (ROOT / "Makefile").read_text()
    documented = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.M))
    [listed] = re.findall(r"^TASKS := (.*)$", makefile, re.M)
    assert documented == {*listed.split(), "help", "install"}


def test_every_key_of_the_compose_file_is_there() -> None:
    """The table names each key that the models take, and no other."""
    found = rows("containers.md", "What the Compose file may say")
    listed = {key for cells in found for key in re.findall("`([^`]+)`", " ".join(cells))}
    models = [
        it for it in vars(model).values() if isinstance(it, type) and issubclass(it, model.Part)
    ]
    keys = {key for it in models for key in it.model_fields}
    assert {part for key in listed for part in key.split(".")} - {"x-…"} == keys
