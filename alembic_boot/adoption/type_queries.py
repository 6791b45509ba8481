"""Queries for a schema's types and functions; see `table_queries` for the columns."""

# ruff: noqa: S608 - the queries are put together from constants of this file

_TYPES = """
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname = ANY (%(schemas)s) AND NOT EXISTS (
    SELECT FROM pg_depend e
    WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e')
"""

ENUMS = f"""
SELECT 'enum', t.oid::regtype::text, '',
  jsonb_build_object('labels', (
    SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e
    WHERE e.enumtypid = t.oid)),
  '{{}}'::jsonb
{_TYPES} AND t.typtype = 'e'
"""

DOMAINS = f"""
SELECT 'domain', t.oid::regtype::text, '',
  jsonb_build_object(
    'type', format_type(t.typbasetype, t.typtypmod),
    'nullability', CASE WHEN t.typnotnull THEN 'NOT NULL' ELSE 'NULL' END,
    'collation', (
      SELECT nullif(t.typcollation, 0)::regcollation FROM pg_type b
      WHERE b.oid = t.typbasetype AND b.typcollation <> t.typcollation)),
  CASE WHEN t.typdefaultbin IS NULL THEN '{{}}' ELSE jsonb_build_object(
    'default', jsonb_build_object(
      'expression', pg_get_expr(t.typdefaultbin, 0), 'source', '')) END
{_TYPES} AND t.typtype = 'd'
"""

# VALUE, which is not a reserved word, becomes a column of that name for parsing again.
DOMAIN_CONSTRAINTS = f"""
SELECT 'constraint', d.name, quote_ident(k.conname),
  jsonb_build_object('type', 'CHECK', 'validated', k.convalidated),
  jsonb_build_object('definition', jsonb_build_object(
    'expression', pg_get_expr(k.conbin, 0),
    'source', format('(SELECT NULL::%%s AS value) AS domain', d.base)))
FROM pg_constraint k
JOIN (
  SELECT t.oid, t.oid::regtype::text AS name, format_type(t.typbasetype, t.typtypmod) AS base
  {_TYPES} AND t.typtype = 'd'
) d ON d.oid = k.contypid
WHERE k.contype = 'c'
"""

# Here position counts: a row constructor depends on it.
COMPOSITE_TYPES = """
SELECT 'composite type', c.oid::regclass::text, '',
  jsonb_build_object('attributes', (
    SELECT jsonb_agg(
      quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
      || CASE WHEN a.attcollation <> t.typcollation
              THEN ' COLLATE ' || a.attcollation::regcollation ELSE '' END
      ORDER BY a.attnum)
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)),
  '{}'::jsonb
FROM pg_class c
WHERE c.oid = ANY (%(relations)s) AND c.relkind = 'c'
"""

RANGES = f"""
SELECT 'range type', t.oid::regtype::text, '', (
  SELECT jsonb_build_object(
    'subtype', format_type(r.rngsubtype, NULL),
    'operator class', o.opcname,
    'collation', nullif(r.rngcollation, 0)::regcollation,
    'canonical', nullif(r.rngcanonical, 0)::regproc,
    'subtype difference', nullif(r.rngsubdiff, 0)::regproc,
    'multirange type', r.rngmultitypid::regtype)
  FROM pg_range r JOIN pg_opclass o ON o.oid = r.rngsubopc WHERE r.rngtypid = t.oid),
  '{{}}'::jsonb
{_TYPES} AND t.typtype = 'r'
"""

# Neither functions of extensions nor those that PostgreSQL creates for a range type.
_FUNCTIONS = """
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
LEFT JOIN pg_aggregate g ON g.aggfnoid = p.oid
WHERE n.nspname = ANY (%(schemas)s) AND NOT EXISTS (
    SELECT FROM pg_depend e
    WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype IN ('e', 'i'))
"""

_FUNCTION_KEY = """
  CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
  p.oid::regprocedure::text, ''
"""


def _aggregate(mode: str) -> str:
    """Return the properties of an aggregate, plain or, with `m`, as a moving one."""
    moving, name = ("moving " if mode else ""), f"g.agg{mode}"
    return f"""
    '{moving}transition function', nullif({name}transfn, 0)::regproc,
    '{moving}transition type', format_type(nullif({name}transtype, 0), NULL),
    '{moving}transition space', {name}transspace::text,
    '{moving}final function', nullif({name}finalfn, 0)::regproc,
    '{moving}final function takes arguments', {name}finalextra,
    '{moving}final function modifies', CASE {name}finalmodify  -- the state argument
      WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END,
    '{moving}initial value', {name}initval"""


FUNCTIONS = f"""
SELECT {_FUNCTION_KEY},
  jsonb_build_object(
    'arguments', pg_get_function_identity_arguments(p.oid),
    'result', pg_get_function_result(p.oid),
    'language', l.lanname,
    'kind', CASE p.prokind WHEN 'w' THEN 'window' END,
    'body', CASE WHEN p.prosqlbody IS NULL THEN p.prosrc END,
    'library', p.probin,
    'volatility', CASE p.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE'
                                     ELSE 'VOLATILE' END,
    'parallel', CASE p.proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED'
                                   ELSE 'UNSAFE' END,
    'strict', p.proisstrict,
    'security definer', p.prosecdef,
    'leakproof', p.proleakproof,
    'cost', p.procost::text,
    'rows', p.prorows::text,
    'support function', nullif(p.prosupport, 0)::regproc,
    'settings', to_jsonb(p.proconfig))
  || CASE WHEN g.aggfnoid IS NULL THEN '{{}}' ELSE jsonb_build_object(
    {_aggregate("")},
    {_aggregate("m")},
    'combine function', nullif(g.aggcombinefn, 0)::regproc,
    'serial function', nullif(g.aggserialfn, 0)::regproc,
    'deserial function', nullif(g.aggdeserialfn, 0)::regproc,
    'sort operator', nullif(g.aggsortop, 0)::regoperator,
    'moving inverse function', nullif(g.aggminvtransfn, 0)::regproc) END,
  (SELECT coalesce(jsonb_object_agg('default of argument ' || k, jsonb_build_object(
                     'expression', pg_get_function_arg_default(p.oid, k), 'source', ''))
                   FILTER (WHERE pg_get_function_arg_default(p.oid, k) IS NOT NULL), '{{}}')
   FROM generate_series(1, coalesce(cardinality(p.proallargtypes), p.pronargs)) k)
{_FUNCTIONS}
"""

# Instead of expressions: a body in standard SQL, the text before it to create it in pg_temp, and
# the OID.
BODIES = f"""
SELECT {_FUNCTION_KEY}, '{{}}'::jsonb,
  pg_get_function_sqlbody(p.oid),
  CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END
  || format(' pg_temp.%%I(%%s)', p.proname, pg_get_function_identity_arguments(p.oid))
  || coalesce(' RETURNS ' || pg_get_function_result(p.oid), ''),
  p.oid::bigint
{_FUNCTIONS} AND p.prosqlbody IS NOT NULL
"""
