"""SQLAlchemy's drivers for PostgreSQL: what each takes from a URL, and under which name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from types import MappingProxyType


@dataclass(frozen=True)
class Driver:
    """One driver of SQLAlchemy's."""

    package: str
    """What has to be installed, as it is imported."""
    names: Mapping[str, str] | None = None
    """The driver's word for each keyword of libpq that it takes; None where it is libpq itself."""
    own: frozenset[str] = field(default_factory=frozenset)
    """Options that this driver alone knows."""

    @property
    def is_installed(self) -> bool:
        """Return whether the package can be imported here."""
        return find_spec(self.package) is not None


# What SQLAlchemy passes on to asyncpg.connect() as text, and asyncpg takes as text.
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
"""By what stands after the + of a URL's scheme."""

OWN_DRIVER = "psycopg2"
"""What boot and the application connect by, whichever driver a URL names for an env.py."""
