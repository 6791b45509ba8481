"""Find the schemas in which a revision makes something, and those that it only refers to.

A foreign key to `auth.users` does not make the schema `auth` one of the history's own.
"""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from alembic_boot.history.source import bound_name, nodes, parse, without_docstring
from alembic_boot.sql.parser import FILLED_IN
from alembic_boot.sql.schemas import Schemas

Resolve = Callable[[str], object]
"""Return the value of a name of the revision's module; None if it is unknown."""

_BESIDE = frozenset(
    {"revision", "down_revision", "branch_labels", "depends_on", "phase", "downgrade"}
)
"""Names of the module that make nothing on the way up."""

_MAKING = frozenset({"schema", "source_schema"})
"""Arguments that name the schema in which something is made."""
_REFERRING = "referent_schema"
_LOOKING = re.compile(r"(?:get|has|reflect|inspect)_?|table$")
"""Names of functions that make nothing, although they have such an argument."""

_FOREIGN_KEY = re.compile(r"(\w+)\.\w+\.\w+")


@dataclass
class SchemaNames(Schemas):
    """The schemas that revisions name."""

    texts: set[str] = field(default_factory=set)
    """The strings of each revision in which a schema's name is unknown. One may be that name."""

    def among(self, others: frozenset[str], models: frozenset[str]) -> frozenset[str]:
        """Return those of these schemas that count, given the schemas of the models."""
        made = self.made | (self.texts if self.is_open else set())
        foreign = set() if self.is_open else self.referred - made
        return others & (made | (models - foreign))

    def read_python(self, source: bytes | str, resolve: Resolve = lambda _name: None) -> None:
        """Add the schemas that a revision's file names. Raises SyntaxError."""
        body = [it for it in without_docstring(parse(source).body) if bound_name(it) not in _BESIDE]
        was_open, self.is_open = self.is_open, False
        reader = _Reader(self, resolve)
        for top in body:
            match top:
                case ast.Assign([ast.Name(name)], ast.Constant(value)):
                    reader.constants[name] = value
        for node in nodes(body):
            reader.read(node)
        if self.is_open:
            self.texts |= reader.texts
        self.is_open |= was_open


class _Reader:
    """Reads the nodes of one file of Python."""

    def __init__(self, names: SchemaNames, resolve: Resolve) -> None:
        self._names = names
        self._resolve = resolve
        self.constants: dict[str, object] = {}
        self.texts: set[str] = set()

    def read(self, node: ast.AST) -> None:
        """Add what one node names."""
        match node:
            case ast.Call(func):
                called = getattr(func, "attr", getattr(func, "id", ""))
                if called == "create_all":
                    self._names.is_open = True
                if _LOOKING.match(called) is None:
                    for keyword in node.keywords:
                        self._read_argument(keyword.arg, keyword.value)
            case ast.Dict(keys, values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and key.value in _MAKING:
                        self._read_argument(str(key.value), value)
            case ast.JoinedStr(parts):
                self._names.read_sql("".join(map(self._text, parts)))
            case ast.Constant(str(text)):
                self.texts.add(text)
                if foreign_key := _FOREIGN_KEY.fullmatch(text):
                    self._names.referred.add(foreign_key[1])
                elif " " in text.strip():
                    self._names.read_sql(text)

    def _read_argument(self, argument: str | None, value: ast.expr) -> None:
        # Only these values are asked for, because a value may need the module to be imported.
        if argument == _REFERRING and isinstance(name := self._value(value), str):
            self._names.referred.add(name)
        elif argument in _MAKING and not (isinstance(value, ast.Constant) and value.value is None):
            name = self._value(value)
            self._names.note(name if isinstance(name, str) else FILLED_IN)

    def _text(self, part: ast.expr) -> str:
        match part:
            case ast.Constant(value):
                return str(value)
            case ast.FormattedValue(value) if isinstance(found := self._value(value), str):
                return found
        return FILLED_IN

    def _value(self, node: ast.expr) -> object:
        match node:
            case ast.Constant(value):
                return value
            case ast.Name(name):
                return self.constants.get(name) or self._resolve(name)
            case ast.Attribute(value, name):
                return getattr(self._value(value), name, None)
        return None
