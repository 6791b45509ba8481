"""Tell a stopped database from a database with another password than its container has now.

The image postgres reads POSTGRES_PASSWORD, POSTGRES_USER and POSTGRES_DB only once, when it creates
the database. The volume keeps these values if the variables change later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from docker.errors import APIError

from alembic_boot.commands import as_typed
from backend.stack.engine.containers import Member

# The image trusts every connection over its socket, and asks for a password on others. Exit
# statuses tell the results apart, because PostgreSQL's messages are in the server's language.
_PROBE = """
user=${POSTGRES_USER:-postgres} base=${POSTGRES_DB:-${POSTGRES_USER:-postgres}}
set -- $(hostname -i)
try() {
  psql --no-psqlrc --no-password --quiet --output /dev/null \
    --username "$user" --dbname "$base" --command "SELECT 1" "$@" 2> /dev/null
}
pg_isready --quiet --host "$1" || exit 20
PGPASSWORD="${POSTGRES_PASSWORD:-$(cat "$POSTGRES_PASSWORD_FILE")}" try --host "$1" && exit 20
try && exit 21
exit 22
"""
_OTHER_PASSWORD, _OTHER_NAMES = 21, 22

_VARIABLES = ("POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE")


@dataclass(frozen=True)
class Login:
    """A container's variables for its database, and the volume that contains the database."""

    service: str
    volume: str
    variable: str
    """The variable that has the password, or names its file."""
    user: str
    database: str


@dataclass(frozen=True)
class Difference:
    """A difference between a container's variables and the database in its volume."""

    what: str
    advice: str


def compare_with_volume(member: Member) -> Difference | None:
    """Return why a running PostgreSQL refuses the login of its own container, or None.

    None is also the answer if the container is not PostgreSQL, or has no named volume.
    """
    login = read_login(member.service, member.container.attrs)
    if login is None or not member.is_running:
        return None
    try:
        status = member.container.exec_run(["sh", "-c", _PROBE]).exit_code
    except APIError:
        return None  # the container has ended meanwhile
    return explain(login, status)


def read_login(service: str, attributes: Mapping[str, Any]) -> Login | None:
    """Return the login of a container of the image postgres; None for another image."""
    environment = dict(it.partition("=")[::2] for it in attributes["Config"].get("Env") or [])
    variable = next((it for it in _VARIABLES if environment.get(it)), None)
    mounts = attributes.get("Mounts") or []
    volume = next((str(it["Name"]) for it in mounts if it.get("Type") == "volume"), None)
    if variable is None or volume is None:
        return None
    user = environment.get("POSTGRES_USER") or "postgres"
    return Login(service, volume, variable, user, environment.get("POSTGRES_DB") or user)


def explain(login: Login, status: int | None) -> Difference | None:
    """Return the difference that the exit status of the probe means."""
    remove = f"`{as_typed('down --volumes')}` removes the database with all its data"
    shell = as_typed(f"shell --service {login.service}")
    if status == _OTHER_PASSWORD:
        return Difference(
            f"PostgreSQL runs, but refuses {login.user} with {login.variable}: the volume "
            f"{login.volume} keeps the password that its database was made with",
            "Put the old password back; or set the new one in the database: "
            f"`{shell}`, and there `psql -U {login.user} {login.database} -c "
            f"'\\password'`; or start again: {remove}.",
        )
    if status == _OTHER_NAMES:
        return Difference(
            f"PostgreSQL runs, but refuses {login.user} for the database {login.database}: the "
            f"volume {login.volume} keeps a database that was made with other values of "
            f"POSTGRES_USER, POSTGRES_DB or {login.variable}",
            f"Put the old values back; or start again: {remove}.",
        )
    return None
