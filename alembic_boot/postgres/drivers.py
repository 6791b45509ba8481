"""SQLAlchemy's drivers for PostgreSQL: the options that each accepts from a URL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from types import MappingProxyType


@dataclass(frozen=True)
class Driver:
    """One driver of SQLAlchemy's."""

    package: str
    """The package to install, by the name of its import."""
    names: Mapping[str, str] | None = None
    """The driver's name for each libpq keyword that it accepts; None if the driver uses libpq."""
    own: frozenset[str] = field(default_factory=frozenset)
    """Options that only this driver knows."""

    @property
    def is_installed(self) -> bool:
        """Return whether the package can be imported here."""
        return find_spec(self.package) is not None


# Options that SQLAlchemy passes to asyncpg.connect() as text, and that asyncpg accepts as text.
_ASYNCPG = Driver(
    "asyncpg",
    MappingProxyType(
        {
            "sslmode": "ssl",
            "passfile": "passfile",
            "krbsrvname": "krbsrvname",
            "gsslib": "gsslib",
            "target_session_attrs": "target_session_attrs",
        }
    ),
    frozenset({"prepared_statement_cache_size"}),
)

DRIVERS: Mapping[str, Driver] = {
    "psycopg2": Driver("psycopg2"),
    "psycopg": Driver("psycopg"),
    "psycopg_async": Driver("psycopg"),
    "asyncpg": _ASYNCPG,
}
"""The drivers by the text after the + in a URL's scheme."""

OWN_DRIVER = "psycopg2"
"""The driver of boot and the application, whichever driver a URL names for an env.py."""
