"""libpq's service files: logins that a URL names by `?service=…`, and PGSERVICE for every URL."""

import os
from collections.abc import Mapping
from pathlib import Path


def service_of(parameters: Mapping[str, str]) -> str | None:
    """Return the name of the service that libpq uses for these keywords, if there is one."""
    return parameters.get("service") or os.environ.get("PGSERVICE") or None


def read_service(name: str) -> dict[str, str]:
    """Return the keywords of a service from the first of libpq's service files that has it.

    Raises KeyError if no file has it, and OSError or UnicodeDecodeError if a file cannot be read.
    """
    own = os.environ.get("PGSERVICEFILE") or _own_file()
    system = os.environ.get("PGSYSCONFDIR")
    for file in (Path(own), *([Path(system) / "pg_service.conf"] if system else [])):
        if file.is_file():
            found = _section(file.read_text(encoding="utf-8"), name)
            if found is not None:
                return found
    raise KeyError(name)


def _own_file() -> str:
    # Not Path's, which raises if the user has no home.
    return os.path.expanduser("~/.pg_service.conf")  # noqa: PTH111


def _section(text: str, name: str) -> dict[str, str] | None:
    """Return the keywords of a section as libpq reads them: the first of each counts."""
    found: dict[str, str] | None = None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            if found is not None:
                break
            found = {} if line.startswith(f"[{name}]") else None
        elif found is not None and line and not line.startswith("#"):
            keyword, _, value = line.partition("=")
            found.setdefault(keyword, value)
    return found
