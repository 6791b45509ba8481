"""Find the schemas in which a text of SQL makes something, and those that it only refers to."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from alembic_boot.sql.bodies import constant, inner_texts
from alembic_boot.sql.parser import FILLED_IN, Node, Statement, nodes, read
from alembic_boot.sql.pieces import Kind, parts, pieces

_TO_FILL_IN = re.compile(r"\{[^{}]*\}|%\(\w+\)s|%[sr]|(?<![:\w]):[A-Za-z_]\w*")
"""The parts of a text that Python or a driver fills in."""

_MAKING = ("CREATE", "ALTER", "IMPORT")
"""First words of the statements that make something, or move it."""

_MADE = {
    "CreateStmt": "relation",
    "CreateForeignTableStmt": "base.relation",
    "ViewStmt": "view",
    "CreateSeqStmt": "sequence",
    "CompositeTypeStmt": "typevar",
    "into": "rel",
    "intoClause": "rel",
    "CreateEnumStmt": "typeName",
    "CreateRangeStmt": "typeName",
    "CreateDomainStmt": "domainname",
    "CreateFunctionStmt": "funcname",
    "DefineStmt": "defnames",
    "AlterObjectSchemaStmt": "newschema",
    "ImportForeignSchemaStmt": "local_schema",
}
"""For each kind of node that makes something, the place of its name in the node."""


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
            for name in _made(kind, node):
                self.note(name)
            match node:
                case str() if kind == "schemaname":
                    self.referred.add(node)
                case [{"String": {"sval": schema}}, {"String": _}, *_]:
                    self.referred.add(schema)
        if statement.kind == "VariableSetStmt" and _is_path(statement.node.get("name")):
            for argument in statement.node.get("args", ()):  # and not a path that is a function's
                self.note(constant(argument) or FILLED_IN)

    def _read_names(self, statement: str) -> None:
        [first, *others] = pieces(statement)
        if "search_path" in statement.lower():
            self.is_open = True
        elif first.says(*_MAKING):
            for piece in others:
                if piece.kind is Kind.QUOTED and piece.text.startswith('"'):
                    self.note(piece.text[1:-1].replace('""', '"'))
                elif piece.kind in (Kind.WORD, Kind.QUOTED):
                    self.note(piece.text.lower())


def _statements(text: str) -> Iterator[Statement | str]:
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


def _made(kind: str, node: Node) -> Iterator[str]:
    match kind, node:
        case "CreateSchemaStmt", {"schemaname": name} | {"authrole": {"rolename": name}}:
            yield name
        case "RenameStmt", {"renameType": "OBJECT_SCHEMA", "newname": name}:
            yield name
        case "FuncCall", {
            "funcname": [*_, {"String": {"sval": "set_config"}}],
            "args": [setting, value, *_],
        } if _is_path(constant(setting)):
            path = constant(value)
            yield from (it.strip(' "') for it in (FILLED_IN if path is None else path).split(","))
        case _ if kind in _MADE and isinstance(node, dict):
            made: object = node
            for step in _MADE[kind].split("."):
                made = made[step]  # type: ignore[index]
            yield from _schema(made)


def _is_path(setting: str | None) -> bool:
    return (setting or "").lower() == "search_path"


def _schema(made: object) -> Iterator[str]:
    """Give the schema in the name of what is made. A name that is filled in may have a schema."""
    match made:
        case str(schema) | {"schemaname": schema} | [{"String": {"sval": schema}}, _, *_]:
            yield schema
        case {"relname": name} if name == FILLED_IN:
            yield name
        case [{"String": {"sval": name}}] if FILLED_IN in name:
            yield name
