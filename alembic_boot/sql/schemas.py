"""Find the schemas in which a text of SQL makes something, and those that it only refers to."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from alembic_boot.sql.bodies import constant, inner_texts
from alembic_boot.sql.parser import FILLED_IN, Node, Statement, nodes, read
from alembic_boot.sql.pieces import Kind, parts, pieces

_TO_FILL_IN = re.compile(r"\{[^{}]*\}|%\(\w+\)s|%[sr]|(?<![:\w]):[A-Za-z_]\w*")
"""The parts of a text that Python or a driver fills in."""

_MAKING = ("CREATE", "ALTER", "IMPORT")
"""First words of the statements that make something, or move it."""


@dataclass
class Schemas:
    """The schemas that texts of SQL name."""

    made: set[str] = field(default_factory=set)
    """Those in which something is made."""
    referred: set[str] = field(default_factory=set)
    """Those of which something is used."""
    is_open: bool = False
    """Whether a schema's name only shows when the text runs."""

    def read_sql(self, text: str) -> None:
        """Add what a text names. If the parser cannot read a statement, each name in it counts."""
        for statement in _statements(text):
            if isinstance(statement, Statement):
                self._read_tree(statement)
                for inner in inner_texts(statement):
                    self.is_open |= inner.text == FILLED_IN
                    self.read_sql(inner.text)
            else:
                self._read_names(statement)

    def note(self, name: str) -> None:
        """Add a schema in which something is made."""
        if FILLED_IN in name:
            self.is_open = True
        else:
            self.made.add(name)

    def _read_tree(self, statement: Statement) -> None:
        own = (statement.kind, statement.node)
        for kind, node in chain([own], nodes(statement.node)):
            for name in _MADE[kind](node) if kind in _MADE else ():
                self.note(name)
            if kind == "schemaname":
                self.referred.add(node)
            match node:
                case [{"String": {"sval": schema}}, {"String": _}, *_]:
                    self.referred.add(schema)
        if statement.kind == "VariableSetStmt":  # and not one that is a function's
            for name in _path(statement.node):
                self.note(name)

    def _read_names(self, statement: str) -> None:
        [first, *others] = pieces(statement)
        if "search_path" in statement.lower():
            self.is_open = True
        elif first.says(*_MAKING):
            for piece in others:
                if piece.kind in (Kind.WORD, Kind.QUOTED):
                    self.note(_name(piece.text))


def _statements(text: str) -> Iterator[Statement | str]:
    """Give the statements of a text; as texts, those that the parser cannot read."""
    for written in (_TO_FILL_IN.sub(FILLED_IN, text), text):
        statements = read(written)
        if statements is not None:
            yield from statements
            return
    own = [text[part[0].start : part[-1].end] for part in parts(text)]
    if len(own) == 1:
        yield _TO_FILL_IN.sub(FILLED_IN, own[0])
    else:
        for statement in own:
            yield from _statements(statement)


def _name(text: str) -> str:
    return text[1:-1].replace('""', '"') if text.startswith('"') else text.lower()


def _schema(names: list[Node]) -> Iterator[str]:
    """Give the schema of a name that is a list of its parts."""
    if len(names) > 1 or FILLED_IN in _part(names[0]):
        yield _part(names[0])


def _part(node: Node) -> str:
    return str(node["String"]["sval"])


def _schema_of(relation: Node) -> Iterator[str]:
    """Give the schema of a relation. A name that is filled in may have a schema in it."""
    if "schemaname" in relation or relation["relname"] == FILLED_IN:
        yield str(relation.get("schemaname", FILLED_IN))


def _of_relation(*path: str) -> Callable[[Node], Iterator[str]]:
    def schema(node: Node) -> Iterator[str]:
        for step in path:
            node = node[step]
        return _schema_of(node)

    return schema


def _of_names(key: str) -> Callable[[Node], Iterator[str]]:
    return lambda node: _schema(node[key])


def _of_schema(node: Node) -> Iterator[str]:
    """Give the schema of a CREATE SCHEMA. Without a name, it has that of its owner."""
    name = node.get("schemaname") or node.get("authrole", {}).get("rolename")
    if name is not None:
        yield name


def _renamed(node: Node) -> Iterator[str]:
    if node["renameType"] == "OBJECT_SCHEMA":
        yield node["newname"]


def _path(node: Node) -> Iterator[str]:
    """Give the schemas that a search_path is set to."""
    if node.get("name", "").lower() == "search_path":
        for argument in node.get("args", ()):
            yield constant(argument) or FILLED_IN


def _path_by_call(node: Node) -> Iterator[str]:
    """Give the schemas that a set_config sets a search_path to."""
    match node:
        case {"funcname": [*_, {"String": {"sval": "set_config"}}], "args": [setting, value, *_]}:
            if (constant(setting) or FILLED_IN).lower() == "search_path":
                path = constant(value)
                yield from _listed(FILLED_IN if path is None else path)


def _listed(path: str) -> Iterator[str]:
    return (name.strip(' "') for name in path.split(","))


_MADE: Mapping[str, Callable[[Node], Iterator[str]]] = {
    "CreateStmt": _of_relation("relation"),
    "CreateForeignTableStmt": _of_relation("base", "relation"),
    "ViewStmt": _of_relation("view"),
    "CreateSeqStmt": _of_relation("sequence"),
    "CompositeTypeStmt": _of_relation("typevar"),
    "CreateTableAsStmt": _of_relation("into", "rel"),
    "intoClause": _of_relation("rel"),
    "CreateEnumStmt": _of_names("typeName"),
    "CreateRangeStmt": _of_names("typeName"),
    "CreateDomainStmt": _of_names("domainname"),
    "CreateFunctionStmt": _of_names("funcname"),
    "DefineStmt": _of_names("defnames"),
    "CreateSchemaStmt": _of_schema,
    "RenameStmt": _renamed,
    "AlterObjectSchemaStmt": lambda node: iter([node["newschema"]]),
    "ImportForeignSchemaStmt": lambda node: iter([node["local_schema"]]),
    "FuncCall": _path_by_call,
}
"""For each kind of node, the schemas in which it makes something."""
