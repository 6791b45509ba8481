"""Settings that are wrong: each ends in the documented status and one sentence.

One of each status is shown by a process: tests/scenarios/test_bad_input.py.
"""

from pathlib import Path

import pytest

from alembic_boot.errors import BootError
from alembic_boot.serving.port import reserved_port
from alembic_boot.waiting import wait
from backend.settings import load_settings
from backend.uses import USES
from tests.boot.in_process import migrating
from tests.cluster import Cluster
from tests.history import HEAD, OURS
from tests.scenarios.process import ROOT, assert_untouched, matches
from tests.scenarios.wrong_settings import LOGIN_ADVICE, SECRET, Case

SERVING = {"serve", "start"}


ADVICE = (
    "Write it as postgresql://user:password@host:5432/database, with special characters "
    "percent-encoded (% is %25, @ is %40, / is %2F)."
)


OF_ZEROS = [it for it in OURS if it.startswith("00")]


TARGET_ADVICE = f"Name a revision, head (which is {HEAD}) or heads."

CASES = [
    Case(
        "unknown role",
        4,
        "PostgreSQL refused the login at postgresql://nobody_here:***@127.0.0.1:{port}/{database}: "
        'password authentication failed for user "nobody_here". ' + LOGIN_ADVICE,
        {"DATABASE_URL": "postgresql://nobody_here:some-secret@127.0.0.1:{port}/{database}"},
        "start",
    ),
    Case(
        "unknown database in prod",
        4,
        "Database 'nowhere' does not exist at "
        "postgresql://moriai_user:***@127.0.0.1:{port}/nowhere. Create it, or correct the name; "
        "in dev and test `inv migrate` and `inv start` create it.",
        {
            "APP_ENV": "prod",
            "DATABASE_URL": "postgresql://moriai_user:moriai_password@127.0.0.1:{port}/nowhere",
        },
    ),
    Case(
        "unknown host",
        3,
        "PostgreSQL at postgresql://moriai_user:***@no.such.host.invalid:5432/x was not reachable "
        "within 1 s: … Start it, or fix …; DB_WAIT_TIMEOUT sets how long to wait.",
        {
            "DATABASE_URL": "postgresql://moriai_user:some-secret@no.such.host.invalid:5432/x",
            "DB_WAIT_TIMEOUT": "1",
        },
        "wait-db",
    ),
    Case(
        "no URL at all",
        2,
        f"DATABASE_URL is not a PostgreSQL URL. {ADVICE}",
        {"DATABASE_URL": "127.0.0.1:5432"},
    ),
    Case(
        "another database's URL",
        2,
        f"DATABASE_URL is not a PostgreSQL URL. {ADVICE}",
        {"DATABASE_URL": "mysql://moriai_user:some-secret@127.0.0.1/x"},
    ),
    Case(
        "percent sign as it is in a URL",
        2,
        f"DATABASE_URL is malformed. {ADVICE}",
        {"DATABASE_URL": "postgresql://moriai_user:100%secret@127.0.0.1:5432/x"},
    ),
    Case(
        "URL without a database",
        2,
        f"DATABASE_URL names no database. {ADVICE}",
        {"DATABASE_URL": "postgresql://moriai_user:some-secret@127.0.0.1:5432"},
    ),
    Case(
        "URL with a word as port",
        2,
        "DATABASE_URL …port… " + ADVICE,
        {"DATABASE_URL": "postgresql://moriai_user:some-secret@127.0.0.1:https/x"},
    ),
    Case(
        "prod without a database",
        2,
        "No database is configured. APP_ENV=prod needs DATABASE_URL, or POSTGRES_HOST with "
        "POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB.",
        {"APP_ENV": "prod"},
    ),
    Case(
        "prod without a password",
        2,
        "POSTGRES_PASSWORD is not set. APP_ENV=prod has no default for it: set it, or "
        "POSTGRES_PASSWORD_FILE.",
        {"APP_ENV": "prod", "POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": "{port}"},
    ),
    Case(
        "RELOAD in prod",
        2,
        "RELOAD is for development only, and APP_ENV is prod. Unset RELOAD.",
        {"APP_ENV": "prod", "DATABASE_URL": "{url}", "RELOAD": "true", "JWT_SECRET": SECRET},
        "start",
    ),
    Case(
        "RELOAD with workers",
        2,
        "RELOAD works with one worker only. Unset RELOAD or WEB_CONCURRENCY.",
        {"DATABASE_URL": "{url}", "RELOAD": "true", "WEB_CONCURRENCY": "2"},
        "start",
    ),
    Case(
        "serve in prod without JWT_SECRET",
        2,
        "JWT_SECRET is not set. "
        "Serving in production needs it: set a long random text, or JWT_SECRET_FILE.",
        {"APP_ENV": "prod", "DATABASE_URL": "{url}"},
        "serve",
    ),
    Case(
        "a word as port",
        2,
        "BACKEND_PORT='http' is not a number from 0 to 65535. Set it to one of those, or unset it.",
        {"DATABASE_URL": "{url}", "BACKEND_PORT": "http"},
        "start",
    ),
    Case(
        "a word as timeout",
        2,
        "DB_WAIT_TIMEOUT='long' is not a number of seconds from 0 up. Set it to one of those, or "
        "unset it.",
        {"DATABASE_URL": "{url}", "DB_WAIT_TIMEOUT": "long"},
    ),
    Case(
        "relative target",
        2,
        "The target '-1' is relative, and would mean something else at every start. "
        "Name a revision, head or heads.",
        {"DATABASE_URL": "{url}", "MIGRATION_TARGET": "-1"},
    ),
    Case(
        "relative target from a revision",
        2,
        "The target 'head-1' is relative, and would mean something else at every start. "
        "Name a revision, head or heads.",
        {"DATABASE_URL": "{url}", "MIGRATION_TARGET": "head-1"},
    ),
    Case(
        "unknown target",
        2,
        f"The target '999' is not a revision of this history. {TARGET_ADVICE}",
        {"DATABASE_URL": "{url}", "MIGRATION_TARGET": "999"},
    ),
    Case(
        "ambiguous target",
        2,
        f"The target '00' could be {', '.join(OF_ZEROS)}. {TARGET_ADVICE}",
        {"DATABASE_URL": "{url}", "MIGRATION_TARGET": "00"},
    ),
    Case(
        "no such configuration",
        2,
        "nowhere.ini does not exist. Set ALEMBIC_CONFIG, or -c, to the file of the project, or run "
        "this where alembic.ini is, or a pyproject.toml with [tool.alembic].",
        {"DATABASE_URL": "{url}", "ALEMBIC_CONFIG": "nowhere.ini"},
    ),
]


def run(task: str, variables: dict[str, str]) -> None:
    """Do what a task does, up to the serving."""
    settings = load_settings(variables, Path("/nonexistent/.env"), USES[task])
    if task in SERVING:
        settings.require_secrets_to_serve()
        with reserved_port(settings.serve):
            pass
    boot = settings.description()
    if task == "wait-db":
        wait(boot)
    else:
        migrating(boot)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refusal(case: Case, cluster: Cluster, database: str, database_url: str) -> None:
    """A wrong setting ends with its status and one sentence, before the database is touched."""
    known = {"url": database_url, "port": str(cluster.port), "database": database}
    given = {name: text.format(**known) for name, text in case.variables.items()}
    always = {"ALEMBIC_CONFIG": str(ROOT / "alembic.ini"), "BACKEND_PORT": "0"}
    with pytest.raises(BootError) as caught:
        run(case.task, {**always, **given})
    assert caught.value.exit_status == case.status
    assert matches(str(caught.value), case.sentence.format(**known)), str(caught.value)
    assert_untouched(cluster, database)
