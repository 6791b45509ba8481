"""Merge several Compose files by the rules of the specification."""

from collections.abc import Iterable
from typing import Any

from backend.stack.compose.loading import Content, Document, Where

_REPLACED = {("command",), ("entrypoint",), ("healthcheck", "test")}
"""Keys of a service whose value a later file replaces as a whole."""


def merge(documents: Iterable[Document]) -> Content:
    """Return the merged content of prepared documents; later documents have priority."""
    merged: Content = {}
    for document in documents:
        for where in document.cleared:
            merged = _without(merged, where)
        merged = _merged(merged, document.content, ())
    return merged


def unique(items: list[Any], key: str) -> list[Any]:
    """Return a list of a service without items that a later item replaces."""
    found: dict[str, Any] = {}
    for item in items:
        found[_identity(item, key)] = item  # an item replaces an earlier one in its place
    return list(found.values())


def _merged(base: Any, other: Any, where: Where) -> Any:
    below = where[2:] if where[:1] == ("services",) else ()
    if below in _REPLACED:
        return other
    if other is None:
        return base
    if isinstance(base, dict) and isinstance(other, dict):
        if below == ("logging",) and _differ(base.get("driver"), other.get("driver")):
            return other  # the options belong to a driver
        joined = {
            name: _merged(base[name], other[name], (*where, str(name)))
            for name in base.keys() & other.keys()
        }
        return {**base, **other, **joined}
    if isinstance(base, list) and isinstance(other, list):
        return unique([*base, *other], where[-1])
    return other


def _differ(driver: Any, other: Any) -> bool:
    return driver is not None and other is not None and driver != other


def _without(content: Any, where: Where) -> Any:
    """Return the content without the part at a place, if that part exists."""
    first, *rest = where
    if not isinstance(content, dict) or first not in content:
        return content
    if not rest:
        return {name: part for name, part in content.items() if name != first}
    return {**content, first: _without(content[first], tuple(rest))}


def _identity(item: Any, key: str) -> str:
    """Return the key of a list item: its target inside the container, else its text."""
    known: Any = None
    if key == "volumes" and isinstance(item, str):
        source, _, rest = item.partition(":")
        known = rest.partition(":")[0] or source
    elif key == "secrets":
        use = item if isinstance(item, dict) else {"source": item}
        known = str(use.get("target") or use.get("source") or "").removeprefix("/run/secrets/")
    elif isinstance(item, dict):
        known = _identity_of_map(item, key)
    return str(known or item)


def _identity_of_map(item: Content, key: str) -> Any:
    if key == "ports" and "target" in item:
        parts = {"host_ip": "0.0.0.0", "protocol": "tcp", "published": None, **item}  # noqa: S104
        return "{host_ip}:{published}:{target}/{protocol}".format_map(parts)
    return item.get({"volumes": "target", "env_file": "path"}.get(key, ""))
