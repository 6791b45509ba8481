"""Facts that boot passes to the application, in an environment variable.

Workers and reloads inherit it as well. A process may ask about several projects: the facts name the
project and the database that they are about, and are told for these alone.
"""

import hashlib
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack, cast

from alembic_boot.description import AlembicConfig, BootDescription
from alembic_boot.environment.version_table import VersionTable
from alembic_boot.history.history import Target
from alembic_boot.postgres.hosts import hosts_of
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.state.inspection import DatabaseFacts, Inspection, SchemaState

_DATABASE_URL = "DATABASE_URL"
_FACTS = "BOOT_FACTS"
_ARGUMENTS = "ALEMBIC_BOOT_X"


class Facts(TypedDict, total=False):
    """The facts of one boot, each of which may be unknown."""

    about: Sequence[str]
    """The project and the database, as `_about` has them."""
    paths: Sequence[str]
    """The working folder of the boot, that of env.py, and the configuration file."""
    failure: str | None
    """Why the schema is not at its target, in words without names."""
    cause: str | None
    """The same with names, masked, for the status page."""
    command: str | None
    """The command that helps."""
    kind: str
    """The name of the failure's class."""
    stages: dict[str, float]
    """The seconds of each stage."""
    began_at: float
    """When the boot began, by the monotonic clock: the processes of a machine share it."""
    did: str
    """What the boot did to the schema and the data, in a few words."""
    version_table: tuple[str, str | None]
    reached: dict[str, Any]
    """`Reached`, as JSON has it."""
    differences: str | None
    """The differences between the models and the schema, for readiness."""
    all_differences: Sequence[str]
    """Each difference, a sentence each; not more than fit into a variable."""
    differing: Sequence[str]
    """The tables that they are about."""
    compared_at: Sequence[str]
    """The revisions that the schema was at when the models were compared with it."""


@dataclass(frozen=True)
class Reached:
    """The content of the version table when the schema is at this release's target."""

    rows: tuple[str, ...]
    """Sorted."""
    target: Target
    heads: tuple[str, ...]
    digest: str
    """The digest of the journal's rows about the applied files."""

    def is_still_true_of(self, facts: DatabaseFacts) -> bool:
        """Return whether the database has the same revisions, from the same files.

        A journal that cannot be read is ignored.
        """
        is_same = facts.digest in ("", self.digest)
        return facts.current == self.rows and is_same


def hand_over_database(url: DatabaseUrl) -> None:
    """Set DATABASE_URL for the application, and for an env.py that reads it itself."""
    os.environ[_DATABASE_URL] = url.raw


def hand_over_project(boot: BootDescription) -> None:
    """Forget an earlier boot, and pass on the project of this one.

    Each `alembic -x` may be secret: these go into the variable that has them anyway if they were
    not typed.
    """
    os.environ.pop(_FACTS, None)
    os.environ[_ARGUMENTS] = shlex.join(boot.alembic_config.arguments)
    alembic = boot.alembic_config
    # Not the file that a link leads to: Alembic takes other paths from where the link is.
    file = os.path.abspath(alembic.file)  # noqa: PTH100 (Path.resolve follows links)
    hand_over(boot, paths=(str(Path.cwd()), str(alembic.folder), file))


def project_of_boot(arguments: tuple[str, ...]) -> AlembicConfig | None:
    """Return the project of the last boot; None without one in this working folder.

    `arguments` are those of ALEMBIC_BOOT_X.
    """
    facts = last_handed_over()
    match facts.get("about"), facts.get("paths"):
        case [_, str(name), _], [str(here), str(folder), str(file)] if here == str(Path.cwd()):
            return AlembicConfig(Path(file), name, arguments, working_folder=Path(folder))
    return None


def hand_over(boot: BootDescription, **facts: Unpack[Facts]) -> None:
    """Add these facts to those of this boot. Facts about another one are dropped."""
    os.environ[_FACTS] = json.dumps({**handed_over(boot), **facts, "about": _about(boot)})


def handed_over(boot: BootDescription) -> Facts:
    """Return the facts about this project and database; none without a boot of them."""
    found = last_handed_over()
    return found if found.get("about") == _about(boot) else {}


def last_handed_over() -> Facts:
    """Return the facts of the last boot, about any project and database.

    If they cannot be read, there are none: then the files and the database are asked.
    """
    try:
        found = json.loads(os.environ.get(_FACTS, "{}"))
    except ValueError:
        return {}
    return cast("Facts", found) if isinstance(found, dict) else {}


def _about(boot: BootDescription) -> list[str]:
    """Return the configuration file, its section, and a digest of what else decides the schema.

    That is the address of the application's own connections, without the login, the URL's `options`
    (they may set a search_path) and each `alembic -x`. An argument may be secret.
    """
    parameters = boot.database_url.parameters
    default = os.environ.get("PGPORT") or "5432"
    hosts = [f"{host}:{port or default}" for host, port in hosts_of(parameters)]
    alembic = boot.alembic_config
    options = parameters.get("options", "")
    private = json.dumps([hosts, boot.database_url.database, options, alembic.arguments])
    return [
        os.path.realpath(alembic.file),
        alembic.name,
        hashlib.sha256(private.encode()).hexdigest(),
    ]


def with_facts(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with the facts of this boot instead of those of an earlier one."""
    ours = (_FACTS, _ARGUMENTS)
    others = {name: text for name, text in environment.items() if name not in ours}
    return {**others, **{name: os.environ[name] for name in ours if os.environ.get(name)}}


def hand_over_version_table(boot: BootDescription, table: VersionTable) -> None:
    """Pass on the version table of env.py, for readiness."""
    hand_over(boot, version_table=(table.name, table.schema))


def version_table(boot: BootDescription) -> VersionTable | None:
    """Return the version table of env.py; None if env.py was not asked."""
    found = handed_over(boot).get("version_table")
    return VersionTable(*found) if found else None


def hand_over_reached(boot: BootDescription, inspection: Inspection) -> None:
    """Pass on the target as it was reached, so that the history need not be read again."""
    if inspection.state is SchemaState.CURRENT:
        target, rows = inspection.target, inspection.current
        found = Reached(rows, target, inspection.heads, inspection.digest)
        hand_over(boot, reached=asdict(found))


def reached(boot: BootDescription) -> Reached | None:
    """Return the content of the version table at the target; None if the boot did not reach it."""
    found = handed_over(boot).get("reached")
    if found is None:
        return None
    name, revisions = found["target"].values()
    target = Target(name, tuple(revisions))
    return Reached(tuple(found["rows"]), target, tuple(found["heads"]), found["digest"])
