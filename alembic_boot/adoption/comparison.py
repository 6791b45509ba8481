"""Compare two catalogues: from plain data to readable differences, without a database."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

Value = str | bool | tuple[str, ...] | None
Properties = Mapping[str, Value]

# Characters of a definition in a line, beginning just before the first difference.
_SHOWN = 120
_SHOWN_BEFORE = 40

# Kinds of objects that belong to a table (or a domain), and have a name only within it.
_BELONGING = frozenset({"constraint", "trigger", "rule", "policy"})


class ObjectKey(NamedTuple):
    """The name of an object, as SQL writes it, without OIDs."""

    kind: str
    """PostgreSQL's own word: table, column, constraint, index, enum, function …"""
    name: str
    """Unqualified in the first schema that was read, qualified in every other one."""
    part: str = ""
    """The column, constraint, trigger, rule or policy within the object."""

    def __str__(self) -> str:
        if self.kind in _BELONGING:
            return f"{self.kind} {self.part} on {self.name}"
        return f"{self.kind} {self.path}"

    @property
    def path(self) -> str:
        """Return the name without the kind."""
        return f"{self.name}.{self.part}" if self.part else self.name


Catalogue = Mapping[ObjectKey, Properties]
"""The objects of some schemas with their properties; equal if the schemas are."""


class DifferenceKind(StrEnum):
    """The kind of a difference from the expected catalogue."""

    MISSING = "missing"
    """Expected, but not found."""
    UNEXPECTED = "unexpected"
    """Found, but not expected."""
    CHANGED = "changed"
    """Found and expected, but with another value of a property."""


@dataclass(frozen=True)
class Difference:
    """One difference of a catalogue; `str()` describes it on one line."""

    kind: DifferenceKind
    object: ObjectKey
    property: str | None = None
    """The changed property; None if the whole object is missing or unexpected."""
    found: Value = None
    expected: Value = None

    def __str__(self) -> str:
        if self.property is None:
            return f"{self.object} is {self.kind}"
        name = self.object.path if self.object.kind == "column" else str(self.object)
        verb = "are" if isinstance(self.found or self.expected, tuple) else "is"
        found, expected = _shown(self.found, self.expected)
        return f"{name}: {self.property} {verb} {found}, expected {expected}"


def compare(found: Catalogue, expected: Catalogue) -> tuple[Difference, ...]:
    """Return the missing, unexpected and changed objects of `found`, by kind and name.

    An absent property equals a property without a value. Each part of a missing table
    counts as missing, too. So the number of differences tells a near schema from a far one.
    """
    return tuple(
        difference
        for key in sorted(found.keys() | expected.keys())
        for difference in _differences(key, found.get(key), expected.get(key))
    )


def _differences(
    key: ObjectKey, found: Properties | None, expected: Properties | None
) -> list[Difference]:
    if found is None:
        return [Difference(DifferenceKind.MISSING, key)]
    if expected is None:
        return [Difference(DifferenceKind.UNEXPECTED, key)]
    return [
        Difference(DifferenceKind.CHANGED, key, name, found.get(name), expected.get(name))
        for name in sorted(found.keys() | expected.keys())
        if found.get(name) != expected.get(name)
    ]


def _shown(found: Value, expected: Value) -> tuple[str, str]:
    left, right = _text(found), _text(expected)
    if max(len(left), len(right)) <= _SHOWN:
        return left, right
    pairs = enumerate(zip(left, right, strict=False))
    same = next((place for place, (a, b) in pairs if a != b), min(len(left), len(right)))
    start = max(0, same - _SHOWN_BEFORE)
    return _window(left, start), _window(right, start)


def _window(text: str, start: int) -> str:
    end = start + _SHOWN
    return ("… " if start else "") + text[start:end] + (" …" if text[end:] else "")


def _text(value: Value) -> str:
    """Return the value on one line; line breaks, which may be the difference, stay visible."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case tuple():
            return f"({', '.join(map(_text, value))})"
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r") or "''"
