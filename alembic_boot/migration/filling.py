"""Migrate a template database in a process of its own.

env.py imports modules of the application, and may bind them to the database that it knows. The
process of the tests must import these modules itself.
"""

import os
import pickle
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from alembic_boot.adoption.application_url import pointed_at
from alembic_boot.description import BootDescription
from alembic_boot.environment.own_url import own_url
from alembic_boot.errors import BootError, MigrationFailedError
from alembic_boot.migration.migrate import migrate
from alembic_boot.output.log import keeping_logging
from alembic_boot.output.masking import mask
from alembic_boot.postgres.urls import DatabaseUrl, hide_password


def import_paths() -> dict[str, str]:
    """Return the variable that lets a child process import what this one can: pytest adds paths."""
    return {"PYTHONPATH": os.pathsep.join(str(Path(it).absolute()) for it in sys.path)}


def fill(boot: BootDescription, url: DatabaseUrl) -> None:
    """Migrate this database in a child process. Raises MigrationFailedError with its stderr."""
    finished = subprocess.run(  # noqa: S603 (no part of it comes from outside)
        (sys.executable, "-P", "-m", __name__),
        env={**os.environ, **import_paths()},
        input=pickle.dumps((boot, url)),
        capture_output=True,
        check=False,
    )
    if finished.returncode:
        said = mask(finished.stderr.decode(errors="replace").strip())
        raise MigrationFailedError(
            f"The database for tests could not be migrated (exit status {finished.returncode}).",
            said,
        )


def _fill(boot: BootDescription, url: DatabaseUrl) -> None:
    """Migrate this database. Raises BootError."""
    made = replace(boot, database_url=url, migration_database_url=url, may_create_database=False)
    with suppress(BootError):  # an env.py with a URL of its own is led from there, too
        boot = replace(boot, database_url=own_url(boot.alembic_config))
    with pointed_at(boot, url):
        migrate(made)


def _main() -> None:
    boot, url = pickle.load(sys.stdin.buffer)  # noqa: S301 (the parent process has written it)
    for it in (boot.database_url, boot.migration_database_url, url):
        hide_password(it)
    try:
        with keeping_logging():  # a fileConfig of env.py would write above the sentence
            _fill(boot, url)
    except BootError as error:
        sys.stderr.write(mask(f"{error}\n"))
        raise SystemExit(error.exit_status) from None


if __name__ == "__main__":
    _main()
