"""Tell what the boot in a container does, while `up` waits for the container: readiness says so."""

import json
import logging
from collections.abc import Iterable
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from typing import Any

from backend.stack.engine.containers import Member

logger = logging.getLogger(__name__)

_PATIENCE = 1.0
"""Seconds for an answer."""


def tell_boots(members: Iterable[Member], told: dict[Member, str]) -> None:
    """Log what each boot does, unless `told` has the same already."""
    for member in tuple(members):
        reason = _reason(member)
        if reason is not None and told.get(member) != reason:
            told[member] = reason
            logger.info("%s: %s", member.title, reason)


def _reason(member: Member) -> str | None:
    """Return what the boot in a container does; None if there is none, or it cannot be asked."""
    address = _address(member.container.attrs)
    if address is None:
        return None
    with suppress(OSError, HTTPException, ValueError):
        with closing(HTTPConnection(*address, timeout=_PATIENCE)) as connection:
            connection.request("GET", "/health/ready")
            facts = json.loads(connection.getresponse().read())
        if isinstance(facts, dict) and facts.get("status") == "booting":
            return str(facts.get("reason"))
    return None


def _address(attrs: dict[str, Any]) -> tuple[str, int] | None:
    """Return the address on this machine that a backend's container publishes its port on."""
    variables = dict(it.split("=", 1) for it in attrs["Config"].get("Env") or [] if "=" in it)
    port = variables.get("BACKEND_PORT")
    published = (attrs["NetworkSettings"].get("Ports") or {}).get(f"{port}/tcp") or []
    for it in published:
        is_everywhere = it["HostIp"] in ("", "0.0.0.0", "::")  # noqa: S104 (nothing is bound)
        return "127.0.0.1" if is_everywhere else it["HostIp"], int(it["HostPort"])
    return None
