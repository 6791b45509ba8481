"""Ask the service, over its own port, whether it is ready: that is true of any number of workers.

The process that shows the status page may not be one of those that answer requests.
"""

import http.client
import json
from contextlib import closing
from http import HTTPStatus

from alembic_boot.state.inspection import SchemaState
from alembic_boot.state.readiness import Readiness

_PATIENCE = 1.5
"""Seconds for the connection, and for each part of the answer."""

_LONGEST = 64 << 10

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (to be replaced)


def ask_service(host: str, port: int, path: str) -> Readiness:
    """Return whether requests can be answered, and why not, or why not all of them.

    A service that has no such path says nothing against it. Only an answer about the schema has a
    state: the application may have its own idea of being ready.
    """
    address = _ANYWHERE.get(host, host)
    try:
        with closing(http.client.HTTPConnection(address, port, timeout=_PATIENCE)) as connection:
            connection.request("GET", path, headers={"Connection": "close"})
            found = connection.getresponse()
            body = found.read(_LONGEST)
    except (OSError, http.client.HTTPException):
        return Readiness(ready=False, reason=f"The service does not answer at {path}.")
    state, reason = _texts(body, "state", "reason")
    if state not in set(SchemaState):
        state = None
    if found.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        reason = reason or f"The service answers {found.status} at {path}."
        return Readiness(ready=False, state=state, reason=reason)
    if found.status != HTTPStatus.OK:
        return Readiness(ready=True)
    return Readiness(ready=True, state=state, reason=reason)


def _texts(body: bytes, *keys: str) -> list[str | None]:
    """Return the values of these keys that are texts, if the body is an object of JSON."""
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    values = [found.get(key) if isinstance(found, dict) else None for key in keys]
    return [it if isinstance(it, str) else None for it in values]
