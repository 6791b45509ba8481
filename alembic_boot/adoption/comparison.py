"""Compare two catalogues: plain data in, readable differences out, no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

Value = str | bool | tuple[str, ...] | None

# A definition may have thousands of characters: a line shows this many, from just before the
# first one that differs.
_SHOWN = 120
_SHOWN_BEFORE = 40

# Kinds whose objects belong to a table (or a domain), and are named within it only.
_BELONGING = frozenset({"constraint", "trigger", "rule", "policy"})


class ObjectKey(NamedTuple):
    """What an object is called: names as SQL would write them, without OIDs."""

    kind: str
    """PostgreSQL's own word: table, column, constraint, index, enum, function …"""
    name: str
    """Plain in the first schema that was read, qualified in every other one."""
    part: str = ""
    """The column, constraint, trigger, rule or policy within what `name` says."""

    def __str__(self) -> str:
        if self.kind in _BELONGING:
            return f"{self.kind} {self.part} on {self.name}"
        return f"{self.kind} {self.path}"

    @property
    def path(self) -> str:
        """The name without the kind."""
        return f"{self.name}.{self.part}" if self.part else self.name


@dataclass(frozen=True)
class Catalogue:
    """The objects of some schemas with their properties; equal where the schemas are."""

    objects: Mapping[ObjectKey, Mapping[str, Value]]


class DifferenceKind(StrEnum):
    """How a catalogue differs from the expected one in one thing."""

    MISSING = "missing"
    """Expected, and not found."""
    UNEXPECTED = "unexpected"
    """Found, and not expected."""
    CHANGED = "changed"
    """Found and expected, with another value of one property."""


@dataclass(frozen=True)
class Difference:
    """One thing in which a catalogue differs; `str()` is a line that says it."""

    kind: DifferenceKind
    object: ObjectKey
    property: str | None = None
    """What changed; None where the whole object is missing or unexpected."""
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
    """Return what `found` has missing, unexpected or changed, in order of kind and name.

    A property that is absent is the same as one without a value. The parts of a missing table
    are missing too, each by itself, so that the number of differences tells a near schema from
    a far one.
    """
    return tuple(
        difference
        for key in sorted(found.objects.keys() | expected.objects.keys())
        for difference in _differences(key, found.objects.get(key), expected.objects.get(key))
    )


def _differences(
    key: ObjectKey, found: Mapping[str, Value] | None, expected: Mapping[str, Value] | None
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
    """Return the value on one line; a line break, which may be the difference, stays visible."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case tuple():
            return f"({', '.join(map(_text, value))})"
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r") or "''"
