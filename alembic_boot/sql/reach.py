"""Find out how far a statement reaches: beyond its database, or to what all databases share.

A statement is read and not run. The bodies of functions and blocks are read too, and the texts
that they run by EXECUTE.
"""

import re
from collections.abc import Iterator
from enum import Enum
from itertools import chain
from typing import NamedTuple

from alembic_boot.sql.bodies import constant, inner_calls, inner_texts
from alembic_boot.sql.parser import Node, Statement, nodes, read
from alembic_boot.sql.pieces import without_strings


class Reach(Enum):
    """The place that a statement reaches, beyond its database."""

    SHARED = "what all databases of the server share"
    OUTSIDE = "another server, or a program"
    UNKNOWN = "what only shows when it is run"


class Found(NamedTuple):
    """A part of a statement that reaches far, without the values in it."""

    reach: Reach
    text: str


_SHOWN = 60
"""Characters."""

_SHARED_CATALOGUES = frozenset(
    {
        *("pg_authid", "pg_auth_members", "pg_database", "pg_db_role_setting", "pg_parameter_acl"),
        *("pg_replication_origin", "pg_shdepend", "pg_shdescription", "pg_shseclabel"),
        *("pg_subscription", "pg_tablespace"),
    }
)

_OBJECTS = {
    "OBJECT_DATABASE": Reach.SHARED,
    "OBJECT_ROLE": Reach.SHARED,
    "OBJECT_TABLESPACE": Reach.SHARED,
    "OBJECT_PARAMETER_ACL": Reach.SHARED,
    "OBJECT_SUBSCRIPTION": Reach.OUTSIDE,
}

_KINDS = {
    **dict.fromkeys(
        (
            *("CreateRoleStmt", "AlterRoleStmt", "AlterRoleSetStmt", "DropRoleStmt"),
            *("GrantRoleStmt", "ReassignOwnedStmt", "DropOwnedStmt", "AlterSystemStmt"),
            *("CreatedbStmt", "AlterDatabaseStmt", "AlterDatabaseSetStmt", "DropdbStmt"),
            *("AlterDatabaseRefreshCollStmt", "CreateTableSpaceStmt", "DropTableSpaceStmt"),
            "AlterTableSpaceOptionsStmt",
        ),
        Reach.SHARED,
    ),
    **dict.fromkeys(
        (
            *("CreateSubscriptionStmt", "AlterSubscriptionStmt", "DropSubscriptionStmt"),
            *("AlterForeignServerStmt", "ImportForeignSchemaStmt"),
        ),
        Reach.OUTSIDE,
    ),
    "LoadStmt": Reach.UNKNOWN,  # a library may do anything when it is loaded
}

_SHARED_CALLS = re.compile(
    r"pg_(?:replication_|create_|drop_|copy_|reload_conf|terminate_|cancel_|promote|switch_|rotate_"
    r"|logfile_|file_|read_|ls_|logdir_|stat_file|backup_|start_backup|stop_backup|wal_replay_"
    r"|logical_slot_|sync_|stat_reset_(?:shared|slru|repl|sub)|stat_statements_reset)\w*"
    r"|lo_(?:import|export)"
)
_OUTSIDE_CALLS = re.compile(
    r"dblink\w*|pg_background_\w+|http_(?:get|post|put|patch|delete|head)"
    r"|(?:query_export_to|table_import_from)_s3"
)
_RUNNING_CALLS = re.compile(r"query_to_xml\w*|ts_stat|ts_rewrite|crosstab\w*")
"""Functions that run the text that they are given."""


class Reaches:
    """Reads the statements of a history, one after the other."""

    def __init__(self) -> None:
        self._idle_wrappers: set[str] = set()
        """Foreign-data wrappers without a handler: nothing can be reached through them."""

    def of(self, text: str) -> Iterator[Found]:
        """Give the parts that reach beyond the database, in a text of any number of statements."""
        statements = read(text)
        if statements is None:
            yield _found(Reach.UNKNOWN, text)
        for statement in statements or ():
            yield from self._of_tree(statement)
            yield from self._of_body(statement)

    def _of_tree(self, statement: Statement) -> Iterator[Found]:
        for kind, node in chain([(statement.kind, statement.node)], nodes(statement.node)):
            if kind in ("FuncCall", "funccall"):
                yield from self._of_call(statement.text(node.get("location", -1)), node)
            elif kind in ("CreateFdwStmt", "CreateForeignServerStmt"):
                if not self._is_idle(kind, node):
                    yield _found(Reach.OUTSIDE, statement.text())
            elif isinstance(node, dict) and (reach := _reach(kind, node)):
                yield _found(reach, statement.text())

    def _of_call(self, text: str, call: Node) -> Iterator[Found]:
        name = call["funcname"][-1]["String"]["sval"]
        if reach := _reach_of_call(name):
            yield _found(reach, text)
        if _RUNNING_CALLS.fullmatch(name):
            for argument in call.get("args", ()):
                query = constant(argument)
                if query is not None:
                    yield from self.of(query)
                elif "A_Const" not in argument:
                    yield _found(Reach.UNKNOWN, text)

    def _is_idle(self, kind: str, node: Node) -> bool:
        """Return whether a wrapper, or a server, reaches nothing. Note the wrappers that do not."""
        if kind == "CreateForeignServerStmt":
            return node["fdwname"] in self._idle_wrappers
        if not _has_handler(node):
            self._idle_wrappers.add(node["fdwname"])
        return True  # without a server

    def _of_body(self, statement: Statement) -> Iterator[Found]:
        for name, text in inner_calls(statement):
            if reach := _reach_of_call(name):
                yield _found(reach, text)
            elif _RUNNING_CALLS.fullmatch(name):
                yield _found(Reach.UNKNOWN, text)
        for inner in inner_texts(statement):
            if inner.source is None:
                yield from self.of(inner.text)
                continue
            # A part of a text may be a part of a secret.
            for reach in (*(it.reach for it in self.of(inner.text)), Reach.UNKNOWN):
                yield _found(reach, inner.source)


def _reach(kind: str, node: Node) -> Reach | None:
    match kind:
        case "AlterFdwStmt":
            return Reach.OUTSIDE if _has_handler(node) else None
        case "CopyStmt" if node.get("is_program"):
            return Reach.OUTSIDE
        case "CopyStmt" if "filename" in node:
            return Reach.SHARED
        case "CopyStmt" if not node.get("is_from"):
            return None
        case "CopyStmt" | "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt":
            table = node.get("relation", {})
            is_own = table.get("schemaname", "pg_catalog") == "pg_catalog"
            return Reach.SHARED if is_own and table.get("relname") in _SHARED_CATALOGUES else None
        case "GrantStmt" | "CommentStmt" | "SecLabelStmt" | "RenameStmt" | "AlterOwnerStmt":
            found = (node[it] for it in ("objtype", "objectType", "renameType") if it in node)
            return _OBJECTS.get(next(found, ""))
    return _KINDS.get(kind)


def _reach_of_call(name: str) -> Reach | None:
    if _SHARED_CALLS.fullmatch(name):
        return Reach.SHARED
    return Reach.OUTSIDE if _OUTSIDE_CALLS.fullmatch(name) else None


def _has_handler(node: Node) -> bool:
    options = (it["DefElem"] for it in node.get("func_options", ()))
    return any(it["defname"] == "handler" and "arg" in it for it in options)


def _found(reach: Reach, text: str) -> Found:
    return Found(reach, without_strings(text, _SHOWN))
