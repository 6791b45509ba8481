"""The Compose files and the image's recipe, held against the code that they are for."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from alembic_boot.errors import ConfigurationError
from backend import __version__
from backend.settings import STACK_JWT_SECRET, AppEnv, load_settings
from backend.stack.compose.project import Project
from backend.stack.compose.reading import read_project
from backend.stack.engine.configuration import container_body
from backend.variables import VARIABLES

ROOT = Path(__file__).parents[1]
BOTH = "docker-compose.yml:docker-compose.prod.yml"
ASKED_FOR = {"POSTGRES_PASSWORD_FILE": "./password", "JWT_SECRET_FILE": "./key"}


def environment(project: Project) -> dict[str, str]:
    """Return what the backend's container gets."""
    return dict(project.services["backend"].environment)


@pytest.mark.parametrize("variables", [{}, {"COMPOSE_FILE": BOTH, **ASKED_FOR}])
def test_the_backend_knows_what_it_is_given(variables: dict[str, str]) -> None:
    """Each variable that the stack passes on is a setting."""
    assert environment(read_project(ROOT, variables)).keys() <= VARIABLES.keys()


def test_settings_are_passed_on() -> None:
    """What is set beside the Compose file reaches the container; what isn't counts as unset."""
    given = {"APP_ENV": "test", "SEED": "false", "MIGRATION_TARGET": "005", "LOG_FORMAT": "json"}
    found = load_settings(environment(read_project(ROOT, given)))
    assert (found.app_env, found.seed, found.schema.target) == ("test", False, "005")
    assert (found.log_format, found.wait_timeout) == ("json", 60)
    plain = load_settings(environment(read_project(ROOT, {})))
    assert (plain.app_env, plain.seed, plain.schema.target) == ("dev", True, None)
    assert plain.database_url is not None
    assert plain.database_url.masked == ("postgresql://moriai_user:***@postgres:5432/moriai_db")


def test_production_has_no_secret_in_it() -> None:
    """Laid over the first file, the second leaves no password in any container's variables."""
    with pytest.raises(ConfigurationError, match="POSTGRES_PASSWORD_FILE is not set"):
        read_project(ROOT, {"COMPOSE_FILE": BOTH})
    given = {"COMPOSE_FILE": BOTH, "POSTGRES_PASSWORD": "hidden", "JWT_SECRET": "hidden"}
    project = read_project(ROOT, {**given, **ASKED_FOR})
    assert "hidden" not in str(project.content)
    assert environment(project)["APP_ENV"] == "prod"


def test_a_laptops_stack_signs_tokens() -> None:
    """Its containers can keep no secret, and all replicas need the same; production refuses it."""
    found = load_settings(environment(read_project(ROOT, {})))
    assert found.jwt_secret == STACK_JWT_SECRET
    with pytest.raises(ConfigurationError, match="JWT_SECRET is not set"):
        replace(found, app_env=AppEnv.PROD).require_secrets_to_serve()


def test_the_database_is_not_published() -> None:
    """Only the backend listens on the host, and there on the loopback."""
    services = read_project(ROOT, {}).services
    assert services["postgres"].ports == ()
    assert [port.host_ip for port in services["backend"].ports] == ["127.0.0.1"]


def test_the_backend_is_confined() -> None:
    """No capability, no writing, no new privileges."""
    host = container_body(read_project(ROOT, {}), "backend")["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]


def test_modes_of_a_clone_do_not_matter() -> None:
    """What is copied gets modes of its own, before compiling, which takes the sources' modes over.

    Not by `COPY --chmod`: the classic builder of Docker 20.10 does not know that.
    """
    recipe = (ROOT / "docker/backend/Dockerfile").read_text()
    last_copy = recipe.rindex("COPY docker/backend/healthcheck.py")
    assert last_copy < recipe.index("chmod -R u=rwX,go=rX /app") < recipe.index("compileall")
    assert "--chmod" not in recipe
    standin = (ROOT / "docker/standins/postgres/Dockerfile").read_text()
    assert "RUN chmod 755 /usr/local/bin/entrypoint.sh" in standin


def test_versions_agree() -> None:
    """The image's label and the package say the code's version."""
    recipe = (ROOT / "docker/backend/Dockerfile").read_text()
    assert re.findall("^ARG VERSION=(.*)$", recipe, re.M) == [__version__]
    assert f'\nversion = "{__version__}"\n' in (ROOT / "pyproject.toml").read_text()
