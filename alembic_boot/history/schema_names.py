"""Read from a revision's text in which schemas it makes something, and to which it only refers.

A foreign key to `auth.users` does not make the schema `auth` one of the history's own.
"""

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from alembic_boot.history.checksum import parse, without_docstring
from alembic_boot.sql.scanner import Kind, Token, statements

Resolve = Callable[[str], object]
"""Return what a name of the revision's module stands for; None where nothing tells."""

_UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""Stands in a text for a part of an f-string that nothing tells."""

_HEADER = frozenset({"revision", "down_revision", "branch_labels", "depends_on", "phase"})
_MAKING = frozenset({"schema", "source_schema"})
"""Arguments that name where something is made."""
_REFERRING = frozenset({"referent_schema"})
_LOOKING = re.compile(r"(?:get|has|reflect|inspect)_?|table$")
"""Functions that make nothing, although they have such an argument."""

_KINDS = ("TABLE", "VIEW", "SEQUENCE", "TYPE", "FUNCTION", "PROCEDURE", "DOMAIN")
_BEFORE_KIND = frozenset(
    {"OR", "REPLACE", "GLOBAL", "LOCAL", "UNLOGGED", "FOREIGN", "MATERIALIZED", "RECURSIVE"}
)
_FOREIGN_KEY = re.compile(r"(\w+)\.\w+\.\w+")


@dataclass
class SchemaNames:
    """The schemas that the revisions name, as far as they were read."""

    made: set[str] = field(default_factory=set)
    """Those in which something is made."""
    referred: set[str] = field(default_factory=set)
    """Those that something of is used."""
    is_open: bool = False
    """Whether a name is put together in a way that only running it would tell."""
    texts: set[str] = field(default_factory=set)
    """All strings of the revisions in which that is so: such a name may be among them."""

    def among(self, others: frozenset[str], models: frozenset[str]) -> frozenset[str]:
        """Return which of these schemas count, with the schemas that the models are in."""
        made = self.made | (self.texts if self.is_open else set())
        foreign = set() if self.is_open else self.referred - made
        return others & (made | (models - foreign))

    def read_python(self, source: bytes | str, resolve: Resolve = lambda _name: None) -> None:
        """Add what a revision's file says. Raises SyntaxError."""
        _Reader(self, resolve).read(source)

    def read_sql(self, text: str) -> None:
        """Add what a text says as SQL."""
        for statement in statements(text):
            self._read_statement(statement)
            for token in statement:
                if token.kind is Kind.STRING and (value := token.value) != text:
                    self.read_sql(value)  # the body of a DO, or of an EXECUTE

    def _read_statement(self, statement: Sequence[Token]) -> None:
        for place, token in enumerate(statement):
            rest = statement[place + 1 :]
            if token.says("CREATE"):
                self._note(_created(rest))
            elif token.says("SCHEMA", "RENAME") and statement[0].says("ALTER"):
                self._note(_moved(statement, place))
            elif token.kind in (Kind.WORD, Kind.QUOTED) and rest and rest[0].says("."):
                self.referred.add(token.name)
        for name in _path(statement):
            self._note(name)

    def _note(self, name: str | None) -> None:
        if name is not None and _UNKNOWN in name:
            self.is_open = True
        elif name is not None:
            self.made.add(name)


def _created(rest: Sequence[Token]) -> str | None:
    """Return the schema that a CREATE works in, given what stands after that word."""
    words = iter(rest)
    token = next((it for it in words if not it.says(*_BEFORE_KIND)), None)
    if token is None or not token.says(*_KINDS, "SCHEMA"):
        return None
    is_schema = token.says("SCHEMA")
    name = next((it for it in words if not it.says("IF", "NOT", "EXISTS")), None)
    if name is None or (is_schema and name.says("AUTHORIZATION")):
        name = next(words, None) if name is not None else None
    if name is None:
        return None
    if name.says("{", "%", ":"):  # to be filled in by Python
        return _UNKNOWN
    if name.kind not in (Kind.WORD, Kind.QUOTED):
        return _UNKNOWN if _UNKNOWN in name.text else None
    dot = next(words, None)
    return name.name if is_schema or (dot is not None and dot.says(".")) else None


def _moved(statement: Sequence[Token], place: int) -> str | None:
    """Return where ALTER TABLE … SET SCHEMA or ALTER SCHEMA … RENAME TO leads."""
    is_set = statement[place].says("SCHEMA") and statement[place - 1].says("SET")
    is_renamed = statement[place].says("RENAME") and statement[1].says("SCHEMA")
    after = statement[place + (1 if is_set else 2) :]
    return after[0].name if (is_set or is_renamed) and after else None


def _path(statement: Sequence[Token]) -> Iterator[str]:
    """Give the schemas that a search_path is set to."""
    for place, token in enumerate(statement):
        rest = statement[place + 1 :]
        if token.kind is Kind.STRING and token.value.lower() == "search_path" and len(rest) > 1:
            value = rest[1]
            if rest[0].says(",") and value.kind is Kind.STRING:
                yield from (part.strip(' "') for part in value.value.split(","))
        elif token.says("SEARCH_PATH") and statement[0].says("SET"):
            for name in rest[1:]:
                if name.kind is Kind.STRING:
                    yield name.value
                elif name.kind in (Kind.WORD, Kind.QUOTED):
                    yield name.name
                elif not name.says(","):
                    yield _UNKNOWN


class _Reader:
    """Reads one file of Python."""

    def __init__(self, names: SchemaNames, resolve: Resolve) -> None:
        self._names = names
        self._resolve = resolve
        self._constants: dict[str, object] = {}
        self._texts: set[str] = set()

    def read(self, source: bytes | str) -> None:
        body = [
            node
            for node in without_docstring(parse(source).body)
            if getattr(node, "name", "") != "downgrade" and not _is_header(node)
        ]
        was_open, self._names.is_open = self._names.is_open, False
        for top in body:
            match top:
                case ast.Assign([ast.Name(name)], ast.Constant(value)):
                    self._constants[name] = value
        for top in body:
            for node in ast.walk(top):
                self._read_node(node)
        if self._names.is_open:
            self._names.texts |= self._texts
        self._names.is_open |= was_open

    def _read_node(self, node: ast.AST) -> None:
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
                self._texts.add(text)
                if foreign_key := _FOREIGN_KEY.fullmatch(text):
                    self._names.referred.add(foreign_key[1])
                elif " " in text.strip():
                    self._names.read_sql(text)

    def _read_argument(self, argument: str | None, value: ast.expr) -> None:
        if argument in _MAKING and not _is_nothing(value):
            name = self._value(value)
            self._names._note(name if isinstance(name, str) else _UNKNOWN)
        elif argument in _REFERRING and isinstance(name := self._value(value), str):
            self._names.referred.add(name)

    def _text(self, part: ast.expr) -> str:
        match part:
            case ast.Constant(value):
                return str(value)
            case ast.FormattedValue(value) if isinstance(found := self._value(value), str):
                return found
        return _UNKNOWN

    def _value(self, node: ast.expr) -> object:
        match node:
            case ast.Constant(value):
                return value
            case ast.Name(name):
                return self._constants.get(name) or self._resolve(name)
            case ast.Attribute(value, name):
                return getattr(self._value(value), name, None)
        return None


def _is_header(node: ast.stmt) -> bool:
    match node:
        case ast.Assign([ast.Name(name)]) | ast.AnnAssign(ast.Name(name)):
            return name in _HEADER
    return False


def _is_nothing(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None
