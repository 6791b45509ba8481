"""Find contract revisions: older code may not work on the schema that they make.

Code is assumed to name its columns, to leave out columns that it does not know, and to read and
write as before. So existing objects must stay, under their names, and accept every value that they
accepted; new objects must not require anything. If the catalogue does not tell, a revision counts
as a contract: then it is only applied later than necessary.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from alembic_boot.adoption.comparison import Catalogue, ObjectKey, Properties
from alembic_boot.sql.pieces import without_strings

EXPAND = "expand"
CONTRACT = "contract"

# Characters of a statement to show.
_SHOWN = 60

_HAVE_PARTS = frozenset({"table", "view", "materialized view", "domain"})

# Properties whose change older code does not notice.
_UNNOTICED: Mapping[str, frozenset[str]] = {
    "sequence": frozenset({"type", "start", "increment", "minimum", "maximum", "cache"}),
    "constraint": frozenset({"validated"}),  # it applies to new rows already
    "index": frozenset({"included columns", "options", "valid"}),
}

_TEXTS = frozenset({"character varying", "text"})
_TIMES = frozenset(
    f"{name} {zone} time zone" for name in ("time", "timestamp") for zone in ("with", "without")
)
_WIDER: Mapping[str, frozenset[str]] = {
    "smallint": frozenset({"integer", "bigint"}),
    "integer": frozenset({"bigint"}),
    "real": frozenset({"double precision"}),
}
_LIMITS = re.compile(r"\(([\d,]+)\)")

_FOREIGN_KEY = re.compile(r"FOREIGN KEY \((?P<columns>.*?)\) REFERENCES ")
_COLUMN = re.compile(r'"(?:[^"]|"")+"|[^\s,"]+')


def contract_reasons(
    before: Catalogue, after: Catalogue, statements: Sequence[str] = ()
) -> list[str]:
    """Return why a revision is a contract, as clauses after its number; none if it is not.

    `statements` are those that it ran as text: no catalogue shows their effect on the data.
    """
    return [
        *_gone(before, after),
        *_changed(before, after),
        *_added(before, after),
        *_own_sql(statements),
    ]


def phase_problems(phase: object, reasons: Sequence[str]) -> list[str]:
    """Return the faults of a revision's phase, as clauses after its number.

    A revision without reasons may be `expand`, `contract` or without a phase.
    """
    problems = []
    if phase not in (None, EXPAND, CONTRACT):
        problems.append(f'says phase = {phase!r}, which is neither "{EXPAND}" nor "{CONTRACT}"')
    if reasons and phase != CONTRACT:
        problems.append(f'{"; ".join(reasons)}, but does not say phase = "{CONTRACT}"')
    return problems


def _gone(before: Catalogue, after: Catalogue) -> Iterator[str]:
    """Yield dropped objects, without the parts of objects that were dropped as a whole."""
    gone, added = before.keys() - after.keys(), after.keys() - before.keys()
    owners = {key.name for key in gone if key.kind in _HAVE_PARTS}
    columns = {key.path for key in gone if key.kind == "column"}
    for key in sorted(gone):
        properties = before[key]
        is_part = (key.part and key.name in owners) or properties.get("table") in owners
        if not is_part and properties.get("owned by") not in columns:
            # A rename cannot be distinguished from a new object.
            like_it = any(
                new.kind == key.kind and (new.name == key.name or not key.part) for new in added
            )
            yield f"drops {'or renames ' if like_it else ''}{key}"


def _changed(before: Catalogue, after: Catalogue) -> Iterator[str]:
    for key in sorted(before.keys() & after.keys()):
        old, new = before[key], after[key]
        match key.kind:
            case "column":
                yield from _changed_column(key.path, old, new)
            case "enum":
                yield from _changed_enum(key, old, new)
            case "index" if not new.get("unique"):
                pass
            case kind:
                changed = _changes(old, new) - _UNNOTICED.get(kind, frozenset())
                if changed:
                    yield f"changes {key} ({', '.join(sorted(changed))})"


def _changed_column(path: str, old: Properties, new: Properties) -> Iterator[str]:
    if old["type"] != new["type"] and not is_widening(str(old["type"]), str(new["type"])):
        yield f"changes the type of {path} from {old['type']} to {new['type']}"
    if _is_required(new) and not _is_required(old):
        yield f"makes {path} NOT NULL"
    if "default" in _changes(old, new) and not _fills_itself(new):
        yield f"drops the default of {path}"
    if "identity" in _changes(old, new) and new.get("identity") != "by default":
        # A column that is always generated refuses values that code may have given.
        yield f"{'changes' if new.get('identity') else 'drops'} the identity of {path}"
    if {"generated", "expression"} & _changes(old, new):
        yield f"changes how {path} is generated"
    if "collation" in _changes(old, new):
        yield f"changes the collation of {path}"


def _changed_enum(key: ObjectKey, old: Properties, new: Properties) -> Iterator[str]:
    labels, left = _labels(old), _labels(new)
    for label in labels:
        if label not in left:
            yield f"drops or renames label {label!r} of {key}"
    if [label for label in labels if label in left] != [label for label in left if label in labels]:
        yield f"changes the order of {key}"


def _added(before: Catalogue, after: Catalogue) -> Iterator[str]:
    """Yield new requirements on existing objects; new objects may require anything."""
    existed = {key.name for key in before if key.kind in _HAVE_PARTS}
    for key in sorted(after.keys() - before.keys()):
        new = after[key]
        match key.kind:
            case "column" if key.name in existed:
                if _is_required(new) and not _fills_itself(new):
                    yield f"adds {key}, which is NOT NULL and has no default"
            case "constraint" if key.name in existed:
                if new.get("enforced") is not False and not _is_idle(key, new, before, after):
                    yield f"adds {new.get('type')} {key}"
            case "trigger" | "rule" | "policy" if key.name in existed:
                yield f"adds {key}"
            case "index" if new.get("table") in existed and new.get("unique"):
                yield f"adds unique {key}"


def _is_idle(key: ObjectKey, new: Properties, before: Catalogue, after: Catalogue) -> bool:
    """Return whether a constraint cannot refuse a row that leaves out the new columns.

    That is certain only for foreign keys: their columns stand in their definition, and NULL passes.
    A CHECK may refuse NULL.
    """
    match = _FOREIGN_KEY.match(str(new.get("definition")))
    columns = [
        ObjectKey("column", key.name, name)
        for name in _COLUMN.findall(match["columns"] if match else "")
    ]
    return bool(columns) and all(
        column in after
        and column not in before
        and not _is_required(after[column])
        and not _fills_itself(after[column])
        for column in columns
    )


def _own_sql(statements: Sequence[str]) -> Iterator[str]:
    if statements:
        text = without_strings(statements[0], _SHOWN + 1)
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN].rstrip()} …"
        more = f", and {len(statements) - 1} more" if statements[1:] else ""
        yield f"runs SQL of its own ({shown}{more})"


def is_widening(old: str, new: str) -> bool:
    """Return whether every value of a type is the same value of another type, also for code.

    So `integer` to `numeric` is not widening: drivers return another type of number. Unknown pairs
    of types are not widening either.
    """
    (name, limits), (new_name, new_limits) = _split(old), _split(new)
    if {name, new_name} <= _TEXTS or name == new_name in _TIMES:
        return not new_limits or bool(limits and limits <= new_limits)
    if name == new_name == "numeric" and limits and new_limits:
        return limits[0] <= new_limits[0] and limits[1] == new_limits[1]
    return not limits and not new_limits and new_name in _WIDER.get(name, ())


def _split(type_name: str) -> tuple[str, tuple[int, ...]]:
    """Return a type without its limits, and the limits."""
    match = _LIMITS.search(type_name)
    limits = tuple(map(int, match[1].split(","))) if match else ()
    return _LIMITS.sub("", type_name), limits


def _changes(old: Properties, new: Properties) -> set[str]:
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def _is_required(column: Properties) -> bool:
    return str(column.get("nullability")).startswith("NOT NULL")


def _fills_itself(column: Properties) -> bool:
    return any(column.get(name) is not None for name in ("default", "identity", "generated"))


def _labels(enum: Properties) -> tuple[str, ...]:
    labels = enum.get("labels")
    return labels if isinstance(labels, tuple) else ()
