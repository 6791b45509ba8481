"""Ask the service, over its own port, whether it is ready: that is true of any number of workers.

The process that shows the status page may not be one of those that answer requests.
"""

import http.client
import json
from contextlib import closing
from http import HTTPStatus

_PATIENCE = 1.5
"""Seconds for the connection, and for each part of the answer."""

_LONGEST = 64 << 10

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (to be replaced)


def ask_service(host: str, port: int, path: str) -> tuple[bool, str | None]:
    """Return whether requests can be answered, and why not, or why not all of them.

    A service that has no such path says nothing against it.
    """
    address = _ANYWHERE.get(host, host)
    try:
        with closing(http.client.HTTPConnection(address, port, timeout=_PATIENCE)) as connection:
            connection.request("GET", path, headers={"Connection": "close"})
            found = connection.getresponse()
            body = found.read(_LONGEST)
    except (OSError, http.client.HTTPException):
        return False, f"The service does not answer at {path}."
    if found.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return False, _reason(body) or f"The service answers {found.status} at {path}."
    return True, _reason(body) if found.status == HTTPStatus.OK else None


def _reason(body: bytes) -> str | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    reason = found.get("reason") if isinstance(found, dict) else None
    return reason if isinstance(reason, str) else None
