"""A task reads the variables that it uses, and a wrong value elsewhere never stops it."""

from pathlib import Path

import pytest

import tasks
from alembic_boot.errors import ConfigurationError
from backend.settings import load_settings
from backend.uses import EVERYTHING, USES, used_variables
from backend.variables import VARIABLES, VARIABLES_OF, Use

NO_FILE = Path("/nonexistent/.env")
DATABASE = {"DATABASE_URL": "postgresql://moriai_user:pw@db.example/stories"}

# A value that each variable refuses, and what else has to be set for that.
WRONG: dict[str, tuple[str, dict[str, str]]] = {
    "APP_ENV": ("staging", {}),
    "DATABASE_URL": ("nonsense", {}),
    "POSTGRES_PORT": ("x", {"DATABASE_URL": "", "POSTGRES_HOST": "h"}),
    "MIGRATION_DATABASE_URL": ("nonsense", {}),
    "EVENTS_DATABASE_URL": ("nonsense", {}),
    "SCRATCH_DATABASE_URL": ("nonsense", {}),
    "DB_WAIT_TIMEOUT": ("soon", {}),
    "MIGRATE_ON_FAILURE": ("shrug", {}),
    "MIGRATE_LOCK_TIMEOUT": ("soon", {}),
    "MIGRATE_TRAFFIC_TIMEOUT": ("soon", {}),
    "MIGRATION_ROLLBACK": ("maybe", {}),
    "ALEMBIC_X": ("'", {}),
    "SEED": ("maybe", {}),
    "BACKEND_PORT": ("http", {}),
    "RELOAD": ("maybe", {}),
    "WEB_CONCURRENCY": ("many", {}),
    "DRAIN_DELAY": ("soon", {}),
    "STATUS_PORT": ("http", {}),
    "API_DOCS": ("maybe", {}),
    "MAX_BODY_BYTES": ("some", {}),
    "SIGN_IN_LIMITS": ("maybe", {}),
    "JWT_SECRET_FILE": ("/nonexistent", {}),
    "LOG_LEVEL": ("loud", {}),
    "LOG_FORMAT": ("xml", {}),
}

ANYTHING_GOES = {
    *("POSTGRES_HOST", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE"),
    *("POSTGRES_DB", "MIGRATION_TARGET", "BACKEND_HOST", "JWT_SECRET", "ALEMBIC_CONFIG"),
    *("ALEMBIC_NAME", "ASGI_APP", "SEED_CALLABLE", "STATUS_HOST", "FORWARDED_ALLOW_IPS"),
}
"""Are texts, or wrong only together with others."""


def test_every_variable_has_one_use() -> None:
    """None is left out, and none is read for two reasons."""
    names = [name for use in Use for name in VARIABLES_OF[use]]
    assert sorted(names) == sorted(VARIABLES)
    assert WRONG.keys() | ANYTHING_GOES == VARIABLES.keys()


def test_every_task_of_the_database_has_its_uses() -> None:
    """Whatever a task has no use for cannot stop it."""
    listed = set(USES) - {"preview"}
    assert listed < set(tasks.ns.task_names)
    assert USES["start"] == EVERYTHING
    assert all({Use.LOG, Use.DATABASE} <= uses for uses in USES.values())


@pytest.mark.parametrize("task", USES)
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value(task: str, name: str) -> None:
    """It is refused by the tasks that use it, and by no other."""
    text, others = WRONG[name]
    environ = {**DATABASE, **others, name: text}
    if name in used_variables(USES[task]):
        with pytest.raises(ConfigurationError, match=name):
            load_settings(environ, NO_FILE, USES[task])
    else:
        assert load_settings(environ, NO_FILE, USES[task]) == load_settings(
            {key: text for key, text in environ.items() if key != name}, NO_FILE, USES[task]
        )


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_for_a_task_without_a_database(name: str) -> None:
    """Such a task reads what the log is like, and nothing else."""
    text, others = WRONG[name]
    environ = {**others, name: text}
    if name in VARIABLES_OF[Use.LOG]:
        with pytest.raises(ConfigurationError, match=name):
            load_settings(environ, NO_FILE, (Use.LOG,))
    else:
        load_settings(environ, NO_FILE, (Use.LOG,))


LINKS = [
    "tcp://10.96.0.7:8000",
    "udp://10.96.0.7:8000",
    "sctp://10.96.0.7:8000",
    "TCP://10.96.0.7:8000",
    "tcp://[fd00:10:96::7]:8000",
    " tcp://10.96.0.7:8000 ",
]


@pytest.mark.parametrize("link", LINKS)
def test_a_service_link_is_no_setting(link: str) -> None:
    """Kubernetes sets such a variable for a Service that is called like one of ours."""
    found = load_settings(
        {"BACKEND_PORT": link, "POSTGRES_PORT": link, "POSTGRES_HOST": "db.example"}, NO_FILE
    )
    assert found.database_url is not None
    assert (found.serve.port, found.database_url.parameters["port"]) == (8000, "5432")
    assert set(found.service_links) == {"BACKEND_PORT", "POSTGRES_PORT"}


@pytest.mark.parametrize(
    "service",
    ["backend", "postgres", "seed", "jwt", "log", "db", "database", "migration", "app-env", "web"],
)
def test_every_variable_of_a_service(service: str) -> None:
    """Whatever a Service is called, what Kubernetes makes of its name changes nothing."""
    name = service.upper().replace("-", "_")
    environ = {
        f"{name}_SERVICE_HOST": "10.96.0.7",
        f"{name}_SERVICE_PORT": "8000",
        f"{name}_SERVICE_PORT_HTTP": "8000",
        f"{name}_PORT": "tcp://10.96.0.7:8000",
        f"{name}_PORT_8000_TCP": "tcp://10.96.0.7:8000",
        f"{name}_PORT_8000_TCP_PROTO": "tcp",
        f"{name}_PORT_8000_TCP_PORT": "8000",
        f"{name}_PORT_8000_TCP_ADDR": "10.96.0.7",
    }
    plain = load_settings(DATABASE, NO_FILE)
    found = load_settings({**DATABASE, **environ}, NO_FILE)
    links = {f"{name}_PORT"} & VARIABLES.keys()
    assert set(found.service_links) == links
    assert (found.serve, found.schema, found.database_url) == (
        plain.serve,
        plain.schema,
        plain.database_url,
    )


@pytest.mark.parametrize("text", ["http://10.96.0.7:8000", "tcp", "tcp://10.96.0.7", "80 80"])
def test_a_wrong_port_is_refused(text: str) -> None:
    """Only what Kubernetes writes is taken for its own."""
    with pytest.raises(ConfigurationError, match="BACKEND_PORT"):
        load_settings({**DATABASE, "BACKEND_PORT": text}, NO_FILE)


def test_only_a_port_can_be_a_service_link() -> None:
    """An address that somebody has put elsewhere is a mistake, and must not be passed over."""
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        load_settings({"DATABASE_URL": "tcp://10.96.0.7:5432"}, NO_FILE)
