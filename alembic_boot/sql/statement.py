"""Questions about a statement, which are asked before it runs.

A text that the parser cannot read counts as the most dangerous case in each answer.
"""

import re

from alembic_boot.sql.bodies import body_of
from alembic_boot.sql.parser import FILLED_IN, Node, Statement, nodes, read
from alembic_boot.sql.pieces import begins_with, parts

_ROWS = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "CopyStmt"})
_DEFINITIONS = frozenset(
    {
        *("AlterTableStmt", "AlterObjectSchemaStmt", "AlterOwnerStmt", "AlterEnumStmt"),
        *("AlterSeqStmt", "AlterDomainStmt", "AlterPolicyStmt", "RenameStmt", "CommentStmt"),
        *("CreateStmt", "CreateSeqStmt", "CreateEnumStmt", "CreateDomainStmt", "CompositeTypeStmt"),
        *("CreateFunctionStmt", "CreateTrigStmt", "CreatePolicyStmt", "CreateStatsStmt"),
        *("ViewStmt", "RuleStmt", "IndexStmt", "DropStmt", "LockStmt"),
    }
)
"""Definitions that run nobody's code before they have their lock."""

_SETTINGS = frozenset({"VariableSetStmt", "VariableShowStmt"})

_LEAVING_NOTHING = _SETTINGS | {"SelectStmt", "LockStmt", "CreateStmt", "CreateTableAsStmt"}
"""Kinds that leave nothing, if the tables that they make are temporary."""
_ROWS_CHANGED = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_HARMLESS_CALLS = re.compile(
    r"pg_(?:try_)?advisory_\w+|set_config|current_\w+|to_reg\w+|now|version|count|coalesce"
)

_SAVEPOINTS = frozenset({"TRANS_STMT_SAVEPOINT", "TRANS_STMT_RELEASE", "TRANS_STMT_ROLLBACK_TO"})
_ROLLBACKS = frozenset({"TRANS_STMT_ROLLBACK", "TRANS_STMT_ROLLBACK_TO"})
_COMMIT = "TRANS_STMT_COMMIT"

_ROLLBACK_WORDS = ("ROLLBACK", "ABORT")
_CONTROL_WORDS = (
    *("SET", "RESET", "BEGIN", "START", "SAVEPOINT", "RELEASE", "PREPARE", "COMMIT", "END"),
    *_ROLLBACK_WORDS,
)
"""First words of a text that is worth reading: another one may be megabytes of rows."""

_COMMITTING_BLOCK = re.compile(r"\b(?:COMMIT|ROLLBACK|CALL)\b", re.IGNORECASE)
"""Words of a block that may end a transaction, in whichever language it is written."""
_COMMIT_WORD = re.compile(r"\b(?:COMMIT|END)\b", re.IGNORECASE)

_LONGEST_DEFINITION = 4096
"""Characters. A longer text is rows or several statements, and is not worth reading so often."""


Statements = tuple[Statement, ...]


def works_on_rows(text: str) -> bool:
    """Return whether a text works on rows only.

    No other session queues behind its table locks. It may have worked for an hour when it waits
    for a row.
    """
    return _all_of(read(text) or (), _ROWS)


def begins_with_control(text: str) -> bool:
    """Return whether a text first acts on the transaction or the session.

    In a failed transaction, nothing else can run before it.
    """
    if not begins_with(text, *_CONTROL_WORDS):
        return False
    statements = read(text)
    return statements is None or statements[0].kind in ("TransactionStmt", "VariableSetStmt")


def may_set_lock_timeout(text: str) -> bool:
    """Return whether a text may set `lock_timeout` for the statements after it.

    Rows may mention the name as well. Code of a block is not read: it may set anything.
    """
    if "lock_timeout" not in text.lower():
        return False
    statements = read(text)
    return statements is None or any(map(_may_set, statements))


def _may_set(statement: Statement) -> bool:
    if statement.kind == "DoStmt":
        return True
    if statement.kind == "VariableSetStmt":
        return statement.node.get("name") in (None, "lock_timeout")  # RESET ALL has none
    return any(
        name == "FuncCall" and _called(node) == "set_config" for name, node in nodes(statement.node)
    )


def begins_with_rollback(text: str) -> bool:
    """Return whether a text first ends a transaction, or a part of it, that may have failed."""
    if not begins_with(text, *_ROLLBACK_WORDS):
        return False
    statements = read(text)
    return statements is None or _transaction_kind(statements[0]) in _ROLLBACKS


def is_setting(text: str) -> bool:
    """Return whether a text only sets or shows settings of the session."""
    return _all_of(_read_short(text), _SETTINGS)


def leaves_nothing(text: str) -> bool:
    """Return whether a text only reads, locks, or makes temporary tables.

    PostgreSQL counts locks of rows, and such tables, as changes of the transaction. A function that
    is not known may change anything.
    """
    statements = read(text)
    return statements is not None and all(map(_leaves_nothing, statements))


def is_single(text: str) -> bool:
    """Return whether a text is one statement."""
    return len(_read_short(text)) == 1


def fails_without_its_lock(text: str) -> bool:
    """Return whether a text is one statement that surely fails if it does not get its lock.

    Other statements may run code that catches the error and goes on: a function, a block or a
    trigger. What that code left out would stay unknown.
    """
    return is_single(text) and _all_of(_read_short(text), _DEFINITIONS)


def is_concurrent(text: str) -> bool:
    """Return whether a text must not be interrupted: its unfinished work would stay behind.

    No other session queues behind such a statement while it waits. The last moment of DETACH
    PARTITION is the exception: then it locks the partition.
    """
    statements = read(text)
    return statements is None or any(map(_is_concurrent, statements))


def is_atomic(text: str, *, in_transaction: bool = False) -> bool:
    """Return whether PostgreSQL undoes everything that a text did if it fails.

    Several statements in one text are one transaction, unless they end it themselves.
    """
    statements = read(text)
    if statements is None:
        return False
    if len(statements) > 1 and any(
        _transaction_kind(it) not in ("", *_SAVEPOINTS) for it in statements
    ):
        return False
    return in_transaction or not any(map(_may_commit_inside, statements))


def commits(text: str) -> bool:
    """Return whether a text commits the transaction that it runs in."""
    if _COMMIT_WORD.search(text) is None:
        return False  # without the parser: the text may be megabytes of rows
    statements = read(text)
    if statements is None:
        return any(part[0].says("COMMIT", "END") for part in parts(text))
    return any(_transaction_kind(it) == _COMMIT for it in statements)


def _read_short(text: str) -> Statements:
    return (read(text) or ()) if len(text) <= _LONGEST_DEFINITION else ()


def _all_of(statements: Statements, kinds: frozenset[str]) -> bool:
    return bool(statements) and all(it.kind in kinds for it in statements)


def _transaction_kind(statement: Statement) -> str:
    """Return the kind of a transaction statement; an empty text for another statement."""
    return str(statement.node["kind"]) if statement.kind == "TransactionStmt" else ""


def _leaves_nothing(statement: Statement) -> bool:
    if statement.kind not in _LEAVING_NOTHING:
        return False
    return not any(
        name in _ROWS_CHANGED
        or (name in ("relation", "rel") and it.get("relpersistence") != "t")
        or (name == "FuncCall" and not _HARMLESS_CALLS.fullmatch(_called(it)))
        for name, it in nodes(statement.node)
    )


def _called(call: Node) -> str:
    return str(call["funcname"][-1]["String"]["sval"])


def _may_commit_inside(statement: Statement) -> bool:
    if statement.kind == "DoStmt":
        _, block = body_of(statement) or ("", "")
        return block == FILLED_IN or _COMMITTING_BLOCK.search(block) is not None
    return statement.kind == "CallStmt"


def _is_concurrent(statement: Statement) -> bool:
    node = statement.node
    match statement.kind:
        case "IndexStmt" | "DropStmt" | "RefreshMatViewStmt":
            return bool(node.get("concurrent"))
        case "ReindexStmt":
            return any(map(_is_concurrently, node.get("params", ())))
        case "AlterTableStmt":
            actions = (it["AlterTableCmd"].get("def", {}) for it in node["cmds"])
            return any(it.get("PartitionCmd", {}).get("concurrent") for it in actions)
    return False


def _is_concurrently(option: Node) -> bool:
    """Return whether an option of REINDEX is CONCURRENTLY, and is not switched off."""
    element = option["DefElem"]
    if element["defname"] != "concurrently":
        return False
    match element.get("arg"):
        case {"Integer": number}:
            return bool(number.get("ival"))
        case {"String": {"sval": word}}:
            return word.lower() not in ("false", "off")
    return True
