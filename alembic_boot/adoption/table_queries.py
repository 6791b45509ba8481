"""Queries for a schema's tables, for relations like tables, and for the parts of both.

Every query returns these columns, and the additional ones in its comment:
  kind, name, part   the key,
  properties         a JSON object,
  expressions        a JSON object: property → {"expression", "source"}, deparsed SQL over a FROM
                     clause, still to be parsed again.
information_schema and the pg_* views show a role only objects on which it has privileges; the
catalogues show everything. `to_jsonb(row) ->> 'column'` reads columns that not every supported
version has.

Names come from regclass, regtype, regprocedure and the pg_get functions, which leave the schema out
if the search_path finds the name. Parameters: schemas, ignored (names of tables), relations (OIDs).
"""

RELATIONS = """
WITH left_out AS (
    SELECT objid AS oid FROM pg_depend WHERE classid = 'pg_class'::regclass AND deptype = 'e'
    UNION
    SELECT t.typrelid FROM pg_type t
    JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
    UNION
    SELECT oid FROM pg_class WHERE relname = ANY (%(ignored)s)
)
SELECT c.oid
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s)
  AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c', 'S')
  AND c.oid NOT IN (SELECT oid FROM left_out)
  AND NOT EXISTS (
      SELECT FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND c.relkind = 'S'
        AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
        AND d.refobjid IN (SELECT oid FROM left_out))
"""

TABLES = """
SELECT 'table', c.oid::regclass::text, '',
  jsonb_build_object(
    'kind', CASE c.relkind WHEN 'r' THEN 'ordinary' WHEN 'p' THEN 'partitioned'
                           WHEN 'f' THEN 'foreign' END,
    'persistence', CASE c.relpersistence WHEN 'p' THEN 'permanent' WHEN 'u' THEN 'unlogged'
                                         WHEN 't' THEN 'temporary' END,
    'type', nullif(c.reloftype, 0)::regtype,
    'inherits from', (
      SELECT jsonb_agg(i.inhparent::regclass::text ORDER BY i.inhseqno)
      FROM pg_inherits i WHERE i.inhrelid = c.oid),
    'partition key', CASE p.partstrat WHEN 'r' THEN 'RANGE' WHEN 'l' THEN 'LIST'
                                      WHEN 'h' THEN 'HASH' END || ' (' || (
      SELECT string_agg(coalesce(quote_ident(a.attname), 'expression')
                        || CASE WHEN p.partcollation[k] IN (
                             0, coalesce(a.attcollation, 'pg_catalog."default"'::regcollation))
                           THEN '' ELSE ' COLLATE ' || p.partcollation[k]::regcollation END
                        || CASE WHEN o.opcdefault THEN '' ELSE ' ' || o.opcname END,
                        ', ' ORDER BY k)
      FROM generate_series(0, p.partnatts - 1) k
      JOIN pg_opclass o ON o.oid = p.partclass[k]
      LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = nullif(p.partattrs[k], 0)
    ) || ')',
    'partition bound', pg_get_expr(c.relpartbound, c.oid),
    'row security', c.relrowsecurity,
    'forced row security', c.relforcerowsecurity,
    'replica identity', CASE c.relreplident WHEN 'f' THEN 'FULL'
      WHEN 'n' THEN CASE c.relkind WHEN 'f' THEN NULL ELSE 'NOTHING' END
      WHEN 'i' THEN 'USING INDEX ' || (
        SELECT i.indexrelid::regclass FROM pg_index i
        WHERE i.indrelid = c.oid AND i.indisreplident) END,
    'server', s.srvname,
    'server options', to_jsonb(f.ftoptions)),
  CASE WHEN p.partexprs IS NULL THEN '{}' ELSE jsonb_build_object(
    'partition expressions', jsonb_build_object(
      'expression', 'ROW(' || pg_get_expr(p.partexprs, c.oid) || ')',
      'source', c.oid::regclass)) END
FROM pg_class c
LEFT JOIN pg_partitioned_table p ON p.partrelid = c.oid
LEFT JOIN pg_foreign_table f ON f.ftrelid = c.oid
LEFT JOIN pg_foreign_server s ON s.oid = f.ftserver
WHERE c.oid = ANY (%(relations)s) AND c.relkind IN ('r', 'p', 'f')
"""

# Position is left out: it depends on earlier changes. PostgreSQL 18 has a row of pg_constraint for
# NOT NULL, whose name stays when a column is renamed; its content belongs here. An inherited
# constraint that is not the table's own is dropped with the parent's.
COLUMNS = """
SELECT 'column', c.oid::regclass::text, quote_ident(a.attname),
  jsonb_build_object(
    'type', format_type(a.atttypid, a.atttypmod),
    'nullability', CASE WHEN a.attnotnull THEN 'NOT NULL' ELSE 'NULL' END
                   || CASE WHEN n.connoinherit THEN ' NO INHERIT' ELSE '' END
                   || CASE WHEN NOT n.convalidated THEN ' NOT VALID' ELSE '' END,
    'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
    'generated', CASE a.attgenerated WHEN 's' THEN 'stored' WHEN 'v' THEN 'virtual' END,
    'collation', CASE WHEN a.attcollation <> t.typcollation
                      THEN nullif(a.attcollation, 0)::regcollation END,
    'only inherited', CASE WHEN NOT a.attislocal THEN true END,
    'options', to_jsonb(a.attfdwoptions)),
  CASE WHEN d.oid IS NULL THEN '{}' ELSE jsonb_build_object(
    CASE a.attgenerated WHEN '' THEN 'default' ELSE 'expression' END,
    jsonb_build_object(
      'expression', pg_get_expr(d.adbin, d.adrelid),
      'source', CASE a.attgenerated WHEN '' THEN '' ELSE c.oid::regclass::text END)) END
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
LEFT JOIN pg_constraint n
       ON n.conrelid = c.oid AND n.contype = 'n' AND n.conkey = ARRAY[a.attnum]
WHERE c.oid = ANY (%(relations)s) AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
"""

# A partition's copies of its parent's constraints follow from the parent, and PostgreSQL invents
# their names. Constraint triggers are listed with the triggers. PostgreSQL's own triggers check a
# foreign key; a restore may have disabled them without enabling them again, also on a partition.
# The index of a partitioned table's constraint is invalid while a partition has none.
CONSTRAINTS = """
SELECT 'constraint', r.oid::regclass::text, quote_ident(k.conname),
  jsonb_build_object(
    'type', CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE'
                           WHEN 'f' THEN 'FOREIGN KEY' WHEN 'c' THEN 'CHECK'
                           WHEN 'x' THEN 'EXCLUDE' END,
    'definition', CASE WHEN k.contype IN ('p', 'u', 'f') THEN regexp_replace(
      pg_get_constraintdef(k.oid),
      '( DEFERRABLE)?( INITIALLY DEFERRED)?( NOT ENFORCED| NOT VALID)?$', '') END,
    'operators', (
      SELECT jsonb_agg(o.operator::regoperator::text ORDER BY o.position)
      FROM unnest(k.conexclop) WITH ORDINALITY o (operator, position)),
    'deferrable', CASE WHEN k.condeferred THEN 'initially deferred'
                       WHEN k.condeferrable THEN 'initially immediate' END,
    'validated', k.convalidated OR NOT e.enforced,
    'enforced', e.enforced,
    'checked', unchecked.constraints = '{}' OR NOT EXISTS (
      WITH RECURSIVE copies (oid) AS (
        SELECT k.oid
        UNION ALL
        SELECT c.oid FROM pg_constraint c JOIN copies ON c.conparentid = copies.oid)
      SELECT FROM copies WHERE oid = ANY (unchecked.constraints)),
    'index valid', CASE WHEN k.contype IN ('p', 'u') THEN (
      SELECT i.indisvalid FROM pg_index i WHERE i.indexrelid = k.conindid) END,
    'inherited by children', k.contype <> 'c' OR NOT k.connoinherit,
    'only inherited', CASE WHEN k.contype = 'c' AND NOT k.conislocal THEN true END),
  CASE k.contype WHEN 'c' THEN jsonb_build_object(
    'definition', jsonb_build_object(
      'expression', pg_get_expr(k.conbin, k.conrelid), 'source', r.oid::regclass))
  ELSE '{}' END
FROM pg_constraint k
JOIN pg_class r ON r.oid = k.conrelid
CROSS JOIN LATERAL (
  SELECT coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true) AS enforced
) e
CROSS JOIN (
  SELECT ARRAY(
    SELECT tgconstraint FROM pg_trigger WHERE tgisinternal AND tgenabled = 'D') AS constraints
) unchecked
WHERE r.oid = ANY (%(relations)s) AND k.contype IN ('p', 'u', 'f', 'c', 'x')
  AND k.conparentid = 0
"""

# Indexes of primary keys and unique constraints are in the constraint's definition. Indexes of
# exclusion constraints are joined to the constraint, because only its parts can be parsed again.
INDEXES = """
SELECT CASE WHEN k.oid IS NULL THEN 'index' ELSE 'constraint' END,
  CASE WHEN k.oid IS NULL THEN i.indexrelid ELSE i.indrelid END::regclass::text,
  coalesce(quote_ident(k.conname), ''),
  keys.properties || jsonb_build_object(
    'table', i.indrelid::regclass,
    'method', m.amname,
    'unique', i.indisunique,
    'nulls not distinct', i.indnullsnotdistinct,
    'valid', i.indisvalid,
    'included columns', (
      SELECT jsonb_agg(pg_get_indexdef(i.indexrelid, n, false) ORDER BY n)
      FROM generate_series(i.indnkeyatts + 1, i.indnatts) n),
    'options', to_jsonb(c.reloptions),
    'attached to', (
      SELECT h.inhparent::regclass FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)),
  keys.expressions || CASE WHEN i.indpred IS NULL THEN '{}' ELSE jsonb_build_object(
    'predicate', jsonb_build_object(
      'expression', pg_get_expr(i.indpred, i.indrelid), 'source', i.indrelid::regclass)) END
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_am m ON m.oid = c.relam
LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype = 'x'
CROSS JOIN LATERAL (
  SELECT
    coalesce(jsonb_object_agg('key ' || n, pg_get_indexdef(i.indexrelid, n, false))
             FILTER (WHERE i.indkey[n - 1] <> 0), '{}')
    || coalesce(jsonb_object_agg('operator class of key ' || n,
                                 o.opcname || coalesce(' ' || a.attoptions::text, ''))
                FILTER (WHERE NOT o.opcdefault OR a.attoptions IS NOT NULL), '{}')
    || coalesce(jsonb_object_agg('collation of key ' || n,
                                 i.indcollation[n - 1]::regcollation)
                FILTER (WHERE i.indcollation[n - 1] NOT IN (
                  0, coalesce(t.attcollation, 'pg_catalog."default"'::regcollation))), '{}')
    || coalesce(jsonb_object_agg('order of key ' || n,
                  CASE i.indoption[n - 1] & 1 WHEN 1 THEN 'DESC' ELSE 'ASC' END ||
                  CASE i.indoption[n - 1] & 2 WHEN 2 THEN ' NULLS FIRST' ELSE ' NULLS LAST' END)
                FILTER (WHERE i.indoption[n - 1] <> 0), '{}') AS properties,
    coalesce(jsonb_object_agg('key ' || n, jsonb_build_object(
                                'expression', pg_get_indexdef(i.indexrelid, n, false),
                                'source', i.indrelid::regclass))
             FILTER (WHERE i.indkey[n - 1] = 0), '{}') AS expressions
  FROM generate_series(1, i.indnkeyatts::integer) n
  JOIN pg_opclass o ON o.oid = i.indclass[n - 1]
  JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum = n
  LEFT JOIN pg_attribute t
         ON t.attrelid = i.indrelid AND t.attnum = i.indkey[n - 1] AND i.indkey[n - 1] <> 0
) keys
WHERE i.indrelid = ANY (%(relations)s)
  AND NOT EXISTS (
      SELECT FROM pg_constraint u WHERE u.conindid = i.indexrelid AND u.contype IN ('p', 'u'))
"""

# A sequence keeps its name when its table is renamed, so an owned one is named by its owner. Two
# sequences of one column could not be distinguished, and keep their names.
_OWNED_SEQUENCE = """
FROM pg_class c
LEFT JOIN (
  SELECT d.objid, d.refobjid::regclass || '.' || quote_ident(a.attname) AS column,
    count(*) OVER (PARTITION BY d.refobjid, d.refobjsubid) AS sequences
  FROM pg_depend d
  JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
  JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
    AND d.deptype IN ('a', 'i')
) owner ON owner.objid = c.oid
CROSS JOIN LATERAL (
  SELECT CASE owner.sequences WHEN 1 THEN 'owned by ' || owner.column
                              ELSE c.oid::regclass::text END AS name
) normalised
"""

SEQUENCE_NAMES = f"""
SELECT c.oid::regclass::text, normalised.name {_OWNED_SEQUENCE}
WHERE c.oid = ANY (%(relations)s) AND c.relkind = 'S'
"""

SEQUENCES = f"""
SELECT 'sequence', normalised.name, '',
  jsonb_build_object(
    'owned by', owner.column,
    'persistence', CASE c.relpersistence WHEN 'u' THEN 'unlogged' ELSE 'permanent' END,
    'type', format_type(s.seqtypid, NULL),
    'start', s.seqstart::text, 'increment', s.seqincrement::text,
    'minimum', s.seqmin::text, 'maximum', s.seqmax::text,
    'cache', s.seqcache::text, 'cycle', s.seqcycle),
  '{{}}'::jsonb
{_OWNED_SEQUENCE}
JOIN pg_sequence s ON s.seqrelid = c.oid
WHERE c.oid = ANY (%(relations)s)
"""

# The old and the new row in a condition become two tables of the FROM clause for parsing.
TRIGGERS = r"""
SELECT 'trigger', t.tgrelid::regclass::text, quote_ident(t.tgname),
  jsonb_build_object(
    'definition', CASE WHEN t.tgqual IS NULL THEN d.definition ELSE regexp_replace(
      d.definition, ' WHEN \(.*\) EXECUTE FUNCTION ', ' EXECUTE FUNCTION ') END,
    'enabled', CASE t.tgenabled WHEN 'O' THEN 'origin' WHEN 'D' THEN 'disabled'
                                WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' END),
  CASE WHEN t.tgqual IS NULL THEN '{}' ELSE jsonb_build_object(
    'condition', jsonb_build_object(
      'expression', substring(d.definition FROM ' WHEN \((.*)\) EXECUTE FUNCTION '),
      'source', format('%%s AS old, %%1$s AS new', t.tgrelid::regclass))) END
FROM pg_trigger t
CROSS JOIN LATERAL (SELECT pg_get_triggerdef(t.oid, true) AS definition) d
WHERE t.tgrelid = ANY (%(relations)s) AND NOT t.tgisinternal
"""

STANDING_FOR = "SELECT set_config('alembic_boot.stands_for', %s, false)"
"""Tells for which role the session's own stands: a policy may name CURRENT_USER."""

POLICIES = """
SELECT 'policy', p.polrelid::regclass::text, quote_ident(p.polname),
  jsonb_build_object(
    'command', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                             WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
    'permissive', p.polpermissive,
    'roles', (
      SELECT jsonb_agg(r.name ORDER BY r.name) FROM (
        SELECT CASE role WHEN 0 THEN 'PUBLIC' ELSE coalesce(
          CASE role WHEN quote_ident(session_user)::regrole
                    THEN nullif(current_setting('alembic_boot.stands_for', true), '') END,
          role::regrole::text) END AS name
        FROM unnest(p.polroles) role) r)),
  CASE WHEN p.polqual IS NULL THEN '{}' ELSE jsonb_build_object(
    'using', jsonb_build_object(
      'expression', pg_get_expr(p.polqual, p.polrelid), 'source', p.polrelid::regclass)) END
  || CASE WHEN p.polwithcheck IS NULL THEN '{}' ELSE jsonb_build_object(
    'with check', jsonb_build_object(
      'expression', pg_get_expr(p.polwithcheck, p.polrelid), 'source', p.polrelid::regclass)) END
FROM pg_policy p
WHERE p.polrelid = ANY (%(relations)s)
"""

# A view's query is not an expression; it comes instead of them.
VIEWS = """
SELECT CASE c.relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END, c.oid::regclass::text, '',
  jsonb_build_object('options', CASE c.relkind WHEN 'v' THEN to_jsonb(c.reloptions) END),
  pg_get_viewdef(c.oid)
FROM pg_class c
WHERE c.oid = ANY (%(relations)s) AND c.relkind IN ('v', 'm')
"""

# Instead of expressions: the rule's definition after the table, the event, the table.
RULES = """
SELECT 'rule', r.ev_class::regclass::text, quote_ident(r.rulename),
  jsonb_build_object(
    'event', e.event,
    'enabled', CASE r.ev_enabled WHEN 'O' THEN 'origin' WHEN 'D' THEN 'disabled'
                                 WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' END),
  substr(pg_get_ruledef(r.oid), 1 + length(format(
    E'CREATE RULE %%I AS\n    ON %%s TO %%I.%%I', r.rulename, e.event, n.nspname, c.relname))),
  e.event, r.ev_class::regclass::text
FROM pg_rewrite r
JOIN pg_class c ON c.oid = r.ev_class
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
  SELECT CASE r.ev_type WHEN '2' THEN 'UPDATE' WHEN '3' THEN 'INSERT' WHEN '4' THEN 'DELETE' END
) e (event)
WHERE c.oid = ANY (%(relations)s) AND r.ev_type <> '1'
"""
