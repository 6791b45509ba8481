"""Find out whether this session's role sees every row of a table, and what to do if it does not.

PostgreSQL reports no error for rows that row level security hides: a query just does not return
them. All code that relies on an empty result must check this first.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import connection as Connection

from alembic_boot.errors import LoginRefusedError, RowsHiddenError
from alembic_boot.sql.writing import literal, quoted

Ask = Callable[[str], Any]
"""Returns the single value of a query that has no parameters."""

READ, INSERT, UPDATE = "r", "a", "w"
"""Commands, as pg_policy has them."""

# Follows a view to its tables, which are read with the rights of the view's owner. PostgreSQL
# checks the same facts in `check_enable_rls`. Each policy that applies is for all rows (`true`),
# for all or none (it uses no column of the table), or for some.
_BARRIERS = """
WITH RECURSIVE seen (oid, reader) AS (
    SELECT c.oid, r.oid FROM pg_class c, pg_roles r
    WHERE r.rolname = current_user AND {which}
    UNION
    SELECT d.refobjid,
        CASE WHEN EXISTS (
                 SELECT FROM pg_options_to_table(c.reloptions)
                 WHERE option_name = 'security_invoker' AND option_value::boolean)
             THEN seen.reader ELSE c.relowner END
    FROM seen
    JOIN pg_class c ON c.oid = seen.oid AND c.relkind = 'v'
    JOIN pg_rewrite w ON w.ev_class = c.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid),
policies AS (
    SELECT p.polrelid, r.oid AS reader, p.polcmd, p.polpermissive,
        CASE
            WHEN coalesce(pg_get_expr(CASE WHEN p.polcmd = 'a' THEN p.polwithcheck
                                           ELSE p.polqual END, p.polrelid), 'true') = 'true'
            THEN 'all'
            WHEN NOT EXISTS (
                SELECT FROM pg_depend d
                WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid
                  AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p.polrelid
                  AND d.deptype = 'n')
            THEN 'all or none' ELSE 'some' END AS rows
    FROM pg_policy p JOIN pg_roles r ON EXISTS (
        SELECT FROM unnest(p.polroles) AS role
        WHERE role = 0 OR pg_has_role(r.oid, role, 'USAGE'))
    WHERE r.oid IN (SELECT reader FROM seen))
SELECT json_agg(json_build_object(
    'schema', n.nspname, 'name', c.relname, 'role', r.rolname,
    'is_owner', pg_has_role(r.oid, c.relowner, 'USAGE'),
    'permissive', (
        SELECT coalesce(json_agg(json_build_array(polcmd, rows)), '[]') FROM policies
        WHERE polrelid = c.oid AND reader = r.oid AND polpermissive),
    'restrictive', (
        SELECT coalesce(json_agg(json_build_array(polcmd, rows)), '[]') FROM policies
        WHERE polrelid = c.oid AND reader = r.oid AND NOT polpermissive))
    ORDER BY n.nspname, c.relname)::text
FROM seen
JOIN pg_class c ON c.oid = seen.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_roles r ON r.oid = seen.reader
WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity AND NOT r.rolsuper AND NOT r.rolbypassrls
  AND (c.relforcerowsecurity OR NOT pg_has_role(r.oid, c.relowner, 'USAGE'))
"""

# A cheap first check; if it is positive, the query above asks for details.
_ACCESS = """
SELECT json_build_object(
    'table', {table}, 'role', current_user,
    'may_read', has_table_privilege(c.oid, 'SELECT'),
    'may_hide', c.relrowsecurity OR c.relkind = 'v')::text
FROM pg_class c WHERE c.oid = to_regclass({table})
"""


Policies = Sequence[Sequence[str]]
"""Policies that apply: the command of each, and its rows: `all`, `all or none`, or `some`."""


@dataclass(frozen=True)
class Barrier:
    """Row level security of one table for one role."""

    schema: str
    name: str
    role: str
    is_owner: bool
    """Whether the role owns the table; then the table has FORCE ROW LEVEL SECURITY."""
    permissive: Policies
    restrictive: Policies = ()

    @property
    def table(self) -> str:
        """Return the table's name as SQL writes it."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    def hides(self, rows: int) -> bool:
        """Return whether there may be more rows than the role has read."""
        permissive, restrictive = _rows(self.permissive, READ), _rows(self.restrictive, READ)
        if "all" in permissive and restrictive <= {"all"}:
            return False
        return rows == 0 or "some" in permissive | restrictive

    def forbids(self, command: str) -> bool:
        """Return whether no policy lets the role do this."""
        return not _rows(self.permissive, command)

    @property
    def advice(self) -> str:
        """Return the SQL that lets the role see every row; privileges decide what it may write."""
        role = quoted(self.role)
        bypass = f"`ALTER ROLE {role} BYPASSRLS` as a superuser"
        if self.is_owner:
            force = f"ALTER TABLE {self.table} NO FORCE ROW LEVEL SECURITY"
            return f"Run `{force}` as that role, or {bypass}."
        if any(rows != "all" for _, rows in self.restrictive):
            return f"Run {bypass}."  # an additional policy cannot override a restrictive one
        name = quoted(f"{self.role} sees all")
        policy = f"CREATE POLICY {name} ON {self.table} TO {role} USING (true)"
        return f"Run `{policy}` as the table's owner, or {bypass}."


def _rows(policies: Policies, command: str) -> set[str]:
    return {rows for it, rows in policies if it in ("*", command)}


def barriers(ask: Ask, table: str | None = None) -> tuple[Barrier, ...]:
    """Return the row level security for this role: of one table, or of all tables."""
    which = "c.relrowsecurity" if table is None else f"c.oid = to_regclass({literal(table)})"
    found = json.loads(ask(_BARRIERS.format(which=which)) or "[]")
    return tuple(Barrier(**it) for it in found)


@dataclass(frozen=True)
class Access:
    """The rights of a role on a table."""

    table: str
    role: str
    may_read: bool
    may_hide: bool
    """Whether row level security may hide rows from a read."""

    def refusal(self) -> LoginRefusedError | None:
        """Return the error to raise if the role has no right to read the table."""
        if self.may_read:
            return None
        return LoginRefusedError(
            f"The role {self.role} may not read {self.table}.",
            f"Run `GRANT SELECT ON {self.table} TO {quoted(self.role)}` as the table's owner.",
        )

    def why_incomplete(self, ask: Ask, rows: int) -> LoginRefusedError | None:
        """Return the error to raise if these may not be all of its rows."""
        for barrier in barriers(ask, self.table) if self.may_hide else ():
            if barrier.hides(rows):
                return RowsHiddenError(
                    f"Row level security may hide rows of {barrier.table} from the role "
                    f"{barrier.role}.",
                    barrier.advice,
                )
        return None


def access(ask: Ask, table: str) -> Access | None:
    """Return the role's rights on a table; None if the table is missing."""
    found = ask(_ACCESS.format(table=literal(table)))
    return None if found is None else Access(**json.loads(found))


def why_not_writable(ask: Ask, table: str) -> LoginRefusedError | None:
    """Return the error to raise if row level security forbids the role to write the table."""
    found = access(ask, table)
    if found is None or not found.may_hide:
        return None
    for barrier in barriers(ask, table):
        if barrier.forbids(INSERT) or barrier.forbids(UPDATE):
            return RowsHiddenError(
                f"Row level security keeps the role {barrier.role} from writing {barrier.table}.",
                f"{barrier.advice} Nothing was changed.",
            )
    return found.why_incomplete(ask, ask(f"SELECT count(*) FROM {table}"))  # noqa: S608 (quoted)


def asking(connection: Connection) -> Ask:
    """Return a function that queries over a psycopg2 connection."""

    def ask(query: str) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(query)
            [value] = cursor.fetchone() or [None]
        return value

    return ask
