"""Several hosts in one URL, as libpq and as SQLAlchemy write them: one of them is the primary.

libpq writes `//h1:5432,h2:5433/db` or `?host=h1,h2&port=5432,5433`, SQLAlchemy
`?host=h1:5432&host=h2:5433`. SQLAlchemy reads two of the three forms, libpq the first two.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

_DEFAULT_PORT = "5432"

_PLACE = re.compile(r"(?:\[(?P<ip>[^\[\]]+)\]|(?P<name>[^:\[\]]*))(?::(?P<port>[0-9]*))?")

_ON_PRIMARY = {"primary", "read-write"}

SESSION = "target_session_attrs"
"""libpq's keyword for the wanted kind of host; asyncpg has it, too."""


def hosts_of(parameters: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return each host with its port, or with an empty port, from libpq's keywords.

    A single port is for all hosts. Raises ValueError if the numbers of hosts and ports differ.
    """
    hosts = (parameters.get("host") or parameters.get("hostaddr", "")).split(",")
    ports = parameters.get("port", "").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    return list(zip(hosts, ports, strict=True))


def address_of(parameters: Mapping[str, str]) -> str:
    """Return hosts and ports as they are written in a URL."""
    return ",".join(
        (f"[{name}]" if ":" in name else name) + (f":{port}" if port else "")
        for name, port in hosts_of(parameters)
    )


def joined_query(query: str) -> str:
    """Return a URL's query with SQLAlchemy's hosts and ports in libpq's form.

    Raises ValueError if they have no meaning.
    """
    pairs = [pair for pair in query.split("&") if pair]
    hosts = [unquote(pair.removeprefix("host=")) for pair in pairs if pair.startswith("host=")]
    if len(hosts) < 2 and not re.fullmatch(r"[\w.-]*:[0-9]+", "".join(hosts)):
        return query
    places = [_PLACE.fullmatch(host) for host in hosts]
    if any(place is None for place in places) or any(it.startswith("port=") for it in pairs):
        raise ValueError
    found = [(it["ip"] or it["name"], it["port"] or "") for it in places if it is not None]
    names, ports = (",".join(it) for it in zip(*found, strict=True))
    own = [f"host={quote(names, safe=',:/')}", *([f"port={ports}"] if ports.strip(",") else [])]
    return "&".join([*(it for it in pairs if not it.startswith("host=")), *own])


def on_primary(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return libpq's keywords, set to choose the primary of several hosts.

    Each host gets its port, because asyncpg requires it. Raises ValueError if the keywords ask for
    another kind of host.
    """
    hosts = hosts_of(parameters)
    allowed = _ON_PRIMARY if len(hosts) > 1 else _ON_PRIMARY | {"any"}
    if parameters.get(SESSION, "primary") not in allowed:
        raise ValueError(SESSION)
    if len(hosts) == 1:
        return dict(parameters)
    ports = ",".join(port or _DEFAULT_PORT for _, port in hosts)
    return {SESSION: "primary", **parameters, "port": ports}
