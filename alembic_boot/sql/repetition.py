"""Tell which statements may run a second time, as after a revision that was interrupted.

A statement that is not listed here may not run twice. Views, operators and casts count as reading.
"""

import re

from alembic_boot.sql.parser import Node, Statement, nodes, read
from alembic_boot.sql.writing import literal, name

_ALWAYS = frozenset(
    {
        *("VariableSetStmt", "VariableShowStmt", "LockStmt", "CommentStmt", "GrantStmt"),
        *("GrantRoleStmt", "VacuumStmt", "ReindexStmt", "RefreshMatViewStmt", "ClusterStmt"),
        "CheckPointStmt",
    }
)
_ONCE = frozenset(
    {"TRANS_STMT_PREPARE", "TRANS_STMT_COMMIT_PREPARED", "TRANS_STMT_ROLLBACK_PREPARED"}
)

_DEFINING = ("Create", "Drop", "ViewStmt", "RuleStmt", "DefineStmt", "IndexStmt", "AlterEnumStmt")
_CONDITIONS = ("replace", "if_not_exists", "missing_ok", "skipIfNewValExists")

_COLUMNS = frozenset({"AT_SetNotNull", "AT_DropNotNull", "AT_ColumnDefault"})
_UNLESS_MISSING = frozenset({"AT_AddColumn", "AT_DropColumn", "AT_DropConstraint"})

_WRITING = frozenset({"intoClause", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_HARMLESS = re.compile(
    r"pg_(?:get_(?:\w+def|expr|serial_sequence|userbyid)|(?:table|type)_is_visible"
    r"|(?:total_)?relation_size|(?:table|indexes|database)_size|size_pretty|typeof|backend_pid"
    r"|is_in_recovery|sleep|(?:try_)?advisory_(?:xact_)?lock(?:_shared)?|advisory_unlock(?:_all)?)"
    r"|to_(?:char|date|number|timestamp|hex|jsonb?|reg(?:class|type|proc|procedure|namespace|role))"
    r"|has_(?:table|column|schema|database|function|sequence|type)_privilege|format|format_type"
    r"|jsonb?_(?:agg|object_agg|build_object|build_array|array_length|typeof)"
    r"|array_(?:agg|length|to_string|position|remove|append|upper|lower)"
    r"|string_agg|row_number|rank|count|min|max|sum|avg|lower|upper|length|btrim|trim"
    r"|concat|concat_ws|substring|replace|extract|date_(?:trunc|part)|now"
    r"|current_(?:setting|schemas?|database)"
    r"|set_config|version|unnest|generate_series|obj_description|col_description"
    r"|quote_(?:ident|literal|nullable)|regexp_(?:matches?|replace|split_to_array|split_to_table)",
)
"""PostgreSQL's own functions, by their whole names: a function of a project may be to_cents."""

_LONGEST = 16_384
"""Characters of a text that may be repeatable. Longer texts are mostly rows."""


def is_repeatable(text: str) -> bool:
    """Return whether a text that ran before does no more, or no harm, when it runs again.

    `CREATE INDEX CONCURRENTLY` with a name is repeatable, because boot looks at the index first.
    """
    statements = (read(text) or ()) if len(text) <= _LONGEST else ()
    return bool(statements) and all(map(_is_repeatable, statements))


def again(text: str) -> str:
    """Return the text to run instead of one that may have run before.

    A concurrent drop gets IF EXISTS, and a label for an enum IF NOT EXISTS.
    """
    statements = read(text) if len(text) <= _LONGEST else None
    if statements is None or len(statements) != 1 or statements[0].source != text.encode():
        return text  # a driver's parameter stays in the text
    node = statements[0].node
    match statements[0].kind:
        case "DropStmt" if node.get("concurrent") and not node.get("missing_ok"):
            indexes = ", ".join(name(it["List"]["items"]) for it in node["objects"])
            cascade = " CASCADE" if node["behavior"] == "DROP_CASCADE" else ""
            return f"DROP INDEX CONCURRENTLY IF EXISTS {indexes}{cascade}"
        case "AlterEnumStmt" if "oldVal" not in node and not node.get("skipIfNewValExists"):
            return _label_if_missing(node)
    return text


def _label_if_missing(node: Node) -> str:
    added = f"ALTER TYPE {name(node['typeName'])} ADD VALUE IF NOT EXISTS {literal(node['newVal'])}"
    if "newValNeighbor" not in node:
        return added
    place = "AFTER" if node.get("newValIsAfter") else "BEFORE"
    return f"{added} {place} {literal(node['newValNeighbor'])}"


def _is_repeatable(statement: Statement) -> bool:
    node = statement.node
    match statement.kind:
        case "TransactionStmt":
            return node["kind"] not in _ONCE
        case "SelectStmt":
            return _is_reading(node)
        case "ExplainStmt":
            return all(it["DefElem"]["defname"] != "analyze" for it in node.get("options", ()))
        case "CreateTableAsStmt":
            query = node["query"].get("SelectStmt")
            return bool(node.get("if_not_exists") and query) and _is_reading(query)
        case "IndexStmt" if node.get("concurrent"):
            # Without a name it would get another one, beside the index that is there.
            return "idxname" in node or bool(node.get("if_not_exists"))
        case "AlterTableStmt":
            return all(_is_repeatable_action(it["AlterTableCmd"]) for it in node["cmds"])
        case kind if kind.startswith(_DEFINING):
            return any(node.get(condition) for condition in _CONDITIONS)
    return statement.kind in _ALWAYS


def _is_repeatable_action(action: Node) -> bool:
    kind = action["subtype"]
    is_conditional = kind in _UNLESS_MISSING and bool(action.get("missing_ok"))
    return is_conditional or kind in _COLUMNS or kind == "AT_ValidateConstraint"


def _is_reading(query: object) -> bool:
    found = list(nodes(query))
    calls = (node["funcname"] for kind, node in found if kind == "FuncCall")
    return all(kind not in _WRITING for kind, _ in found) and all(map(_is_harmless, calls))


def _is_harmless(function: list[Node]) -> bool:
    *schema, own = (part["String"]["sval"] for part in function)
    return schema in ([], ["pg_catalog"]) and _HARMLESS.fullmatch(own) is not None
