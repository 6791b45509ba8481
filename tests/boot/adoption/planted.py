"""Differences of every kind that the comparison knows, and the line that is to name each."""

from typing import NamedTuple

from tests.cluster import OWNER


class Planted(NamedTuple):
    """A schema with something more on either side, and the line that says so."""

    common: str
    found: str
    expected: str
    line: str


T = "CREATE TABLE t (a int, b varchar(20), c text)"
PARTITIONED = "CREATE TABLE t (a int, b varchar(20)) PARTITION BY"
FUNCTION = "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql"
AGGREGATE = "CREATE AGGREGATE g(int) (sfunc = int4pl, stype = int"
MOVING = "msfunc = int4pl, minvfunc = int4mi, mstype = int"
TOUCH = f"{T}; CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
TRIGGER = "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW"
IN = "b IN ('x', 'y')"
IN_AGAIN = (
    "((b)::text = ANY (ARRAY[('x'::character varying)::text, ('y'::character varying)::text]))"
)
OTHER_IN = "b IN ('x')"
OTHER_IN_AGAIN = "((b)::text = 'x'::text)"

TABLES = [
    Planted("", "CREATE TABLE t ()", "", "table t is unexpected"),
    Planted("", "", "CREATE TABLE t ()", "table t is missing"),
    Planted(
        "",
        "CREATE TABLE t (a int)",
        "CREATE FOREIGN TABLE t (a int) SERVER here",
        "table t: kind is ordinary, expected foreign\ntable t: server is none, expected here",
    ),
    Planted(
        T, "ALTER TABLE t SET UNLOGGED", "", "table t: persistence is unlogged, expected permanent"
    ),
    Planted(
        "",
        f"{PARTITIONED} LIST (a)",
        f"{PARTITIONED} HASH (a)",
        "table t: partition key is LIST (a), expected HASH (a)",
    ),
    Planted(
        "",
        f"{PARTITIONED} LIST ((b || 'x'))",
        f"{PARTITIONED} LIST ((b || 'y'))",
        "table t: partition expressions is ROW(((b)::text || 'x'::text)), "
        "expected ROW(((b)::text || 'y'::text))",
    ),
    Planted(
        "",
        f'{PARTITIONED} RANGE (b COLLATE "C")',
        f"{PARTITIONED} RANGE (b)",
        'table t: partition key is RANGE (b COLLATE "C"), expected RANGE (b)',
    ),
    Planted(
        "",
        f"{PARTITIONED} RANGE (lower(b))",
        f'{PARTITIONED} RANGE (lower(b) COLLATE "C")',
        'table t: partition key is RANGE (expression), expected RANGE (expression COLLATE "C")',
    ),
    Planted(
        f"{PARTITIONED} LIST (a)",
        "CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1)",
        "CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1, 2)",
        "table t1: partition bound is FOR VALUES IN (1), expected FOR VALUES IN (1, 2)",
    ),
    Planted(
        f"{T}; CREATE TABLE u (LIKE t)",
        "ALTER TABLE u INHERIT t",
        "",
        "table u: inherits from are (t), expected none",
    ),
    Planted(
        T,
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "",
        "table t: row security is yes, expected no",
    ),
    Planted(
        T,
        "",
        "ALTER TABLE t FORCE ROW LEVEL SECURITY",
        "table t: forced row security is no, expected yes",
    ),
    Planted(
        "CREATE TYPE p AS (a int); CREATE TABLE t (a int)",
        "ALTER TABLE t OF p",
        "",
        "table t: type is p, expected none",
    ),
    Planted(
        "",
        "CREATE FOREIGN TABLE t () SERVER here",
        "CREATE FOREIGN TABLE t () SERVER there",
        "table t: server is here, expected there",
    ),
    Planted(
        "",
        "CREATE FOREIGN TABLE t () SERVER here OPTIONS (a 'b')",
        "CREATE FOREIGN TABLE t () SERVER here",
        "table t: server options are (a=b), expected none",
    ),
    Planted(
        "CREATE TABLE t (a int PRIMARY KEY)",
        "ALTER TABLE t REPLICA IDENTITY FULL",
        "",
        "table t: replica identity is FULL, expected none",
    ),
    Planted(
        "CREATE TABLE t (a int PRIMARY KEY)",
        "ALTER TABLE t REPLICA IDENTITY NOTHING",
        "ALTER TABLE t REPLICA IDENTITY USING INDEX t_pkey",
        "table t: replica identity is NOTHING, expected USING INDEX t_pkey",
    ),
]

COLUMNS = [
    Planted(
        T,
        "CREATE TABLE u () INHERITS (t)",
        "CREATE TABLE u (a int) INHERITS (t)",
        "u.a: only inherited is yes, expected none",
    ),
    Planted(
        "",
        "CREATE FOREIGN TABLE t (a int OPTIONS (column_name 'x')) SERVER here",
        "CREATE FOREIGN TABLE t (a int OPTIONS (column_name 'y')) SERVER here",
        "t.a: options are (column_name=x), expected (column_name=y)",
    ),
    Planted(T, "", "ALTER TABLE t ADD d int", "column t.d is missing"),
    Planted(T, 'ALTER TABLE t ADD "D d" int', "", 'column t."D d" is unexpected'),
    Planted(
        T,
        "",
        "ALTER TABLE t ALTER b TYPE text",
        "t.b: type is character varying(20), expected text",
    ),
    Planted(
        T,
        "",
        "ALTER TABLE t ALTER b TYPE varchar(30)",
        "t.b: type is character varying(20), expected character varying(30)",
    ),
    Planted(
        T, "ALTER TABLE t ALTER a SET NOT NULL", "", "t.a: nullability is NOT NULL, expected NULL"
    ),
    Planted(
        T,
        "ALTER TABLE t ALTER b SET DEFAULT 'x'",
        "",
        "t.b: default is 'x'::character varying, expected none",
    ),
    Planted(
        T,
        'ALTER TABLE t ALTER c SET DEFAULT \'{"{a}": "%s\\"}\'',
        "ALTER TABLE t ALTER c SET DEFAULT '{}'",
        "t.c: default is '{\"{a}\": \"%s\\\\\"}'::text, expected '{}'::text",
    ),
    Planted(
        "CREATE TABLE t (a int NOT NULL)",
        "ALTER TABLE t ALTER a ADD GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME s)",
        "ALTER TABLE t ALTER a ADD GENERATED BY DEFAULT AS IDENTITY",
        "t.a: identity is always, expected by default",
    ),
    Planted(
        T,
        f"ALTER TABLE t ADD d bool GENERATED ALWAYS AS ({IN}) STORED",
        f"ALTER TABLE t ADD d bool GENERATED ALWAYS AS ({OTHER_IN}) STORED",
        f"t.d: expression is {IN_AGAIN}, expected {OTHER_IN_AGAIN}",
    ),
    Planted(
        T, 'ALTER TABLE t ALTER c TYPE text COLLATE "C"', "", 't.c: collation is "C", expected none'
    ),
]

CONSTRAINTS = [
    Planted(
        "CREATE TABLE t (a int CONSTRAINT k CHECK (a > 0))",
        "CREATE TABLE u (CONSTRAINT k CHECK (a > 0)) INHERITS (t)",
        "CREATE TABLE u () INHERITS (t)",
        "constraint k on u: only inherited is none, expected yes",
    ),
    Planted(T, "", "ALTER TABLE t ADD CONSTRAINT k UNIQUE (a)", "constraint k on t is missing"),
    Planted(
        f"{T}; ALTER TABLE t ALTER a SET NOT NULL",
        "ALTER TABLE t ADD CONSTRAINT k UNIQUE (a)",
        "ALTER TABLE t ADD CONSTRAINT k UNIQUE (a, b)",
        "constraint k on t: definition is UNIQUE (a), expected UNIQUE (a, b)",
    ),
    Planted(
        T,
        "ALTER TABLE t ADD CONSTRAINT k UNIQUE (a)",
        "ALTER TABLE t ADD CONSTRAINT k UNIQUE (a) DEFERRABLE INITIALLY DEFERRED",
        "constraint k on t: deferrable is none, expected initially deferred",
    ),
    Planted(
        f"{T}; CREATE TABLE u (a int PRIMARY KEY)",
        "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES u",
        "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES u ON DELETE CASCADE",
        "constraint k on t: definition is FOREIGN KEY (a) REFERENCES u(a), "
        "expected FOREIGN KEY (a) REFERENCES u(a) ON DELETE CASCADE",
    ),
    Planted(
        f"{T}; CREATE TABLE u (a int PRIMARY KEY)",
        "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES u DEFERRABLE NOT VALID",
        "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES u DEFERRABLE",
        "constraint k on t: validated is no, expected yes",
    ),
    Planted(
        f"{PARTITIONED} LIST (a); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1);"
        " CREATE TABLE u (a int PRIMARY KEY);"
        " ALTER TABLE t ADD CONSTRAINT u FOREIGN KEY (a) REFERENCES u",
        "ALTER TABLE t1 DISABLE TRIGGER ALL",
        "",
        "constraint u on t: checked is no, expected yes",
    ),
    Planted(
        f"{PARTITIONED} LIST (a); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1)",
        "ALTER TABLE ONLY t ADD CONSTRAINT u UNIQUE (a)",
        "ALTER TABLE ONLY t ADD CONSTRAINT u UNIQUE (a);"
        " ALTER TABLE t1 ADD CONSTRAINT u1 UNIQUE (a); ALTER INDEX u ATTACH PARTITION u1",
        "constraint u on t: index valid is no, expected yes",
    ),
    Planted(
        f"{T}; CREATE TABLE u (a int PRIMARY KEY);"
        "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES u",
        "ALTER TABLE t DISABLE TRIGGER ALL",
        "",
        "constraint k on t: checked is no, expected yes",
    ),
    Planted(
        T,
        f"ALTER TABLE t ADD CONSTRAINT k CHECK ({IN})",
        f"ALTER TABLE t ADD CONSTRAINT k CHECK ({OTHER_IN})",
        f"constraint k on t: definition is {IN_AGAIN}, expected {OTHER_IN_AGAIN}",
    ),
    Planted(
        T,
        "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NO INHERIT",
        "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0)",
        "constraint k on t: inherited by children is no, expected yes",
    ),
    Planted(
        T,
        "ALTER TABLE t ADD CONSTRAINT k EXCLUDE USING gist (int4range(a, 9) WITH &&)",
        "ALTER TABLE t ADD CONSTRAINT k EXCLUDE USING gist (int4range(a, 9) WITH -|-)",
        "constraint k on t: operators are (&&(anyrange,anyrange)), "
        "expected (-|-(anyrange,anyrange))",
    ),
    Planted(
        T,
        f"ALTER TABLE t ADD CONSTRAINT k EXCLUDE (a WITH =) WHERE ({IN})",
        "ALTER TABLE t ADD CONSTRAINT k EXCLUDE (a WITH =)",
        f"constraint k on t: predicate is {IN_AGAIN}, expected none",
    ),
]

INDEXES = [
    Planted(T, "", "CREATE INDEX i ON t (a)", "index i is missing"),
    Planted(
        f"{T}; CREATE TABLE u (LIKE t)",
        "CREATE INDEX i ON t (a)",
        "CREATE INDEX i ON u (a)",
        "index i: table is t, expected u",
    ),
    Planted(
        T,
        "CREATE INDEX i ON t (a)",
        "CREATE INDEX i ON t USING hash (a)",
        "index i: method is btree, expected hash",
    ),
    Planted(
        T,
        "CREATE INDEX i ON t (a)",
        "CREATE UNIQUE INDEX i ON t (a)",
        "index i: unique is no, expected yes",
    ),
    Planted(
        T,
        "CREATE UNIQUE INDEX i ON t (a)",
        "CREATE UNIQUE INDEX i ON t (a) NULLS NOT DISTINCT",
        "index i: nulls not distinct is no, expected yes",
    ),
    Planted(
        T, "CREATE INDEX i ON t (a)", "CREATE INDEX i ON t (b)", "index i: key 1 is a, expected b"
    ),
    Planted(
        T,
        "CREATE INDEX i ON t (a)",
        "CREATE INDEX i ON t (a, b)",
        "index i: key 2 is none, expected b",
    ),
    Planted(
        T,
        "CREATE INDEX i ON t (upper(b))",
        "CREATE INDEX i ON t (lower(b))",
        "index i: key 1 is upper((b)::text), expected lower((b)::text)",
    ),
    Planted(
        T,
        "CREATE INDEX i ON t (c)",
        "CREATE INDEX i ON t (c text_pattern_ops)",
        "index i: operator class of key 1 is none, expected text_pattern_ops",
    ),
    Planted(
        T,
        "CREATE INDEX i ON t (c)",
        'CREATE INDEX i ON t (c COLLATE "C")',
        'index i: collation of key 1 is none, expected "C"',
    ),
    Planted(
        T,
        "CREATE INDEX i ON t (a, c DESC)",
        "CREATE INDEX i ON t (a, c)",
        "index i: order of key 2 is DESC NULLS FIRST, expected none",
    ),
    Planted(
        T,
        "CREATE INDEX i ON t (a) INCLUDE (b)",
        "CREATE INDEX i ON t (a)",
        "index i: included columns are (b), expected none",
    ),
    Planted(
        T,
        f"CREATE INDEX i ON t (a) WHERE {IN}",
        f"CREATE INDEX i ON t (a) WHERE {OTHER_IN}",
        f"index i: predicate is {IN_AGAIN}, expected {OTHER_IN_AGAIN}",
    ),
    Planted(
        T,
        "CREATE INDEX i ON t (a) WITH (fillfactor = 70)",
        "CREATE INDEX i ON t (a)",
        "index i: options are (fillfactor=70), expected none",
    ),
    Planted(
        f"{T}; CREATE INDEX i ON t (a)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass",
        "",
        "index i: valid is no, expected yes",
    ),
    Planted(
        f"{PARTITIONED} LIST (a); CREATE TABLE p PARTITION OF t DEFAULT;"
        "CREATE INDEX i ON ONLY t (a); CREATE INDEX j ON p (a)",
        "",
        "ALTER INDEX i ATTACH PARTITION j; UPDATE pg_index SET indisvalid = false"
        " WHERE indexrelid = 'i'::regclass",
        "index j: attached to is none, expected i",
    ),
]

TYPES = [
    Planted("", "", "CREATE TYPE e AS ENUM ()", "enum e is missing"),
    Planted(
        "CREATE TYPE e AS ENUM ('a', 'c')",
        "",
        "ALTER TYPE e ADD VALUE 'b' BEFORE 'c'",
        "enum e: labels are (a, c), expected (a, b, c)",
    ),
    Planted(
        "",
        "CREATE TYPE e AS ENUM ('b', 'a')",
        "CREATE TYPE e AS ENUM ('a', 'b')",
        "enum e: labels are (b, a), expected (a, b)",
    ),
    Planted("", "", "CREATE DOMAIN d AS int", "domain d is missing"),
    Planted(
        "",
        "CREATE DOMAIN d AS varchar(3)",
        "CREATE DOMAIN d AS varchar(4)",
        "domain d: type is character varying(3), expected character varying(4)",
    ),
    Planted(
        "CREATE DOMAIN d AS int",
        "ALTER DOMAIN d SET NOT NULL",
        "",
        "domain d: nullability is NOT NULL, expected NULL",
    ),
    Planted(
        "CREATE DOMAIN d AS int",
        "ALTER DOMAIN d SET DEFAULT 1 + 2",
        "",
        "domain d: default is (1 + 2), expected none",
    ),
    Planted(
        "",
        'CREATE DOMAIN d AS text COLLATE "C"',
        "CREATE DOMAIN d AS text",
        'domain d: collation is "C", expected none',
    ),
    Planted(
        "CREATE DOMAIN d AS int",
        "ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 0)",
        "",
        "constraint k on d is unexpected",
    ),
    Planted(
        "CREATE DOMAIN d AS int",
        "ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 0)",
        "ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 1)",
        "constraint k on d: definition is (value > 0), expected (value > 1)",
    ),
    Planted(
        "CREATE DOMAIN d AS int",
        "ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 0) NOT VALID",
        "ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 0)",
        "constraint k on d: validated is no, expected yes",
    ),
    Planted("", "", "CREATE TYPE c AS (a int)", "composite type c is missing"),
    Planted(
        "",
        'CREATE TYPE c AS (a int, b text COLLATE "C")',
        'CREATE TYPE c AS (b text COLLATE "C", a int)',
        'composite type c: attributes are (a integer, b text COLLATE "C"), '
        'expected (b text COLLATE "C", a integer)',
    ),
    Planted("", "", "CREATE TYPE r AS RANGE (subtype = int)", "range type r is missing"),
    Planted(
        "",
        "CREATE TYPE r AS RANGE (subtype = float8)",
        "CREATE TYPE r AS RANGE (subtype = float8, subtype_diff = float8mi)",
        "range type r: subtype difference is none, expected float8mi",
    ),
]

SEQUENCES = [
    Planted("", "", "CREATE SEQUENCE s", "sequence s is missing"),
    Planted(
        "CREATE SEQUENCE s",
        "ALTER SEQUENCE s INCREMENT 2",
        "",
        "sequence s: increment is 2, expected 1",
    ),
    Planted(
        "CREATE SEQUENCE s", "ALTER SEQUENCE s CYCLE", "", "sequence s: cycle is yes, expected no"
    ),
    Planted(
        "CREATE SEQUENCE s", "ALTER SEQUENCE s CACHE 5", "", "sequence s: cache is 5, expected 1"
    ),
    Planted(
        "CREATE SEQUENCE s",
        "ALTER SEQUENCE s SET UNLOGGED",
        "",
        "sequence s: persistence is unlogged, expected permanent",
    ),
    Planted(
        "CREATE TABLE t (a serial)",
        "ALTER SEQUENCE t_a_seq START 5",
        "",
        "sequence owned by t.a: start is 5, expected 1",
    ),
    Planted(
        "CREATE TABLE t (a int); CREATE SEQUENCE s OWNED BY t.a; CREATE SEQUENCE u OWNED BY t.a",
        "ALTER TABLE t ALTER a SET DEFAULT nextval('s')",
        "ALTER TABLE t ALTER a SET DEFAULT nextval('u')",
        "t.a: default is nextval('s'::regclass), expected nextval('u'::regclass)",
    ),
]

FUNCTIONS = [
    Planted("", "", f"{FUNCTION} RETURN a", "function f(integer) is missing"),
    Planted(
        "",
        f"{FUNCTION} AS 'SELECT 1'",
        f"{FUNCTION} AS 'SELECT 2'",
        "function f(integer): body is SELECT 1, expected SELECT 2",
    ),
    Planted(
        "",
        f"{FUNCTION} RETURN a",
        f"{FUNCTION} RETURN f.a + 1",
        "function f(integer): body is RETURN a, expected RETURN (a + 1)",
    ),
    Planted(
        "",
        f"{FUNCTION} STABLE RETURN a",
        f"{FUNCTION} RETURN a",
        "function f(integer): volatility is STABLE, expected VOLATILE",
    ),
    Planted(
        "",
        f"{FUNCTION} STRICT RETURN a",
        f"{FUNCTION} RETURN a",
        "function f(integer): strict is yes, expected no",
    ),
    Planted(
        "",
        f"{FUNCTION} SECURITY DEFINER RETURN a",
        f"{FUNCTION} RETURN a",
        "function f(integer): security definer is yes, expected no",
    ),
    Planted(
        "",
        f"{FUNCTION} LEAKPROOF RETURN a",
        f"{FUNCTION} RETURN a",
        "function f(integer): leakproof is yes, expected no",
    ),
    Planted(
        "",
        f"{FUNCTION} PARALLEL SAFE RETURN a",
        f"{FUNCTION} RETURN a",
        "function f(integer): parallel is SAFE, expected UNSAFE",
    ),
    Planted(
        "",
        f"{FUNCTION} COST 7 RETURN a",
        f"{FUNCTION} RETURN a",
        "function f(integer): cost is 7, expected 100",
    ),
    Planted(
        "",
        f"{FUNCTION} SET work_mem = '1MB' RETURN a",
        f"{FUNCTION} RETURN a",
        "function f(integer): settings are (work_mem=1MB), expected none",
    ),
    Planted(
        "",
        "CREATE FUNCTION f(a int DEFAULT 1) RETURNS int LANGUAGE sql RETURN a",
        "CREATE FUNCTION f(a int DEFAULT 2) RETURNS int LANGUAGE sql RETURN a",
        "function f(integer): default of argument 1 is 1, expected 2",
    ),
    Planted(
        "",
        "CREATE FUNCTION f(a int, OUT b int) LANGUAGE sql RETURN 1",
        "CREATE FUNCTION f(a int, OUT c int) LANGUAGE sql RETURN 1",
        "function f(integer): arguments is a integer, OUT b integer, "
        "expected a integer, OUT c integer",
    ),
    Planted(
        "",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'BEGIN END'",
        "CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS 'BEGIN END'",
        "function f(): result is integer, expected text",
    ),
    Planted(
        "SET LOCAL check_function_bodies = off",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'BEGIN END'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'BEGIN END'",
        "function f(): language is sql, expected plpgsql",
    ),
    Planted("", "", "CREATE PROCEDURE p() LANGUAGE sql AS ''", "procedure p() is missing"),
    Planted(
        "CREATE TABLE t (a int)",
        "CREATE PROCEDURE p(a int) LANGUAGE sql BEGIN ATOMIC DELETE FROM t WHERE t.a = p.a; END",
        "CREATE PROCEDURE p(a int) LANGUAGE sql BEGIN ATOMIC DELETE FROM t WHERE t.a < p.a; END",
        "procedure p(integer): body is BEGIN ATOMIC\\n DELETE FROM t\\n   WHERE (t.a = "
        "p.a);\\nEND, "
        "expected BEGIN ATOMIC\\n DELETE FROM t\\n   WHERE (t.a < p.a);\\nEND",
    ),
    Planted(
        "",
        "CREATE AGGREGATE g(int) (sfunc = int4pl, stype = int, initcond = 0)",
        "CREATE AGGREGATE g(int) (sfunc = int4pl, stype = int, initcond = 1)",
        "aggregate g(integer): initial value is 0, expected 1",
    ),
    Planted(
        "",
        f"{AGGREGATE}, finalfunc = int4abs, finalfunc_modify = read_write)",
        f"{AGGREGATE}, finalfunc = int4abs)",
        "aggregate g(integer): final function modifies is READ_WRITE, expected READ_ONLY",
    ),
    Planted(
        "",
        f"{AGGREGATE})",
        f"{AGGREGATE}, {MOVING})",
        "aggregate g(integer): moving inverse function is none, expected int4mi\n"
        "aggregate g(integer): moving transition function is none, expected int4pl\n"
        "aggregate g(integer): moving transition type is none, expected integer",
    ),
    Planted(
        "",
        f"{AGGREGATE}, {MOVING}, minitcond = 1)",
        f"{AGGREGATE}, {MOVING}, mfinalfunc = int4abs)",
        "aggregate g(integer): moving final function is none, expected int4abs\n"
        "aggregate g(integer): moving initial value is 1, expected none",
    ),
]

TRIGGERS = [
    Planted(TOUCH, "", f"{TRIGGER} EXECUTE FUNCTION touch()", "trigger g on t is missing"),
    Planted(
        TOUCH,
        f"{TRIGGER} EXECUTE FUNCTION touch('x')",
        f"{TRIGGER} EXECUTE FUNCTION touch('y')",
        "trigger g on t: definition is CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW "
        "EXECUTE FUNCTION touch('x'), "
        "expected CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch('y')",
    ),
    Planted(
        TOUCH,
        f"{TRIGGER} WHEN (old.* IS DISTINCT FROM new.*) EXECUTE FUNCTION touch()",
        f"{TRIGGER} WHEN (old.b IN ('x')) EXECUTE FUNCTION touch()",
        "trigger g on t: condition is (old.* IS DISTINCT FROM new.*), "
        "expected ((old.b)::text = 'x'::text)",
    ),
    Planted(
        f"{TOUCH}; {TRIGGER} EXECUTE FUNCTION touch()",
        "ALTER TABLE t DISABLE TRIGGER g",
        "",
        "trigger g on t: enabled is disabled, expected origin",
    ),
    Planted(T, "", "CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING", "rule r on t is missing"),
    Planted(
        T,
        f"CREATE RULE r AS ON UPDATE TO t WHERE new.{IN} DO INSTEAD NOTHING",
        f"CREATE RULE r AS ON UPDATE TO t WHERE new.{OTHER_IN} DO INSTEAD NOTHING",
        "rule r on t: definition is WHERE ((new.b)::text = ANY (ARRAY[('x'::character "
        "varying)::text, "
        "('y'::character varying)::text])) DO INSTEAD NOTHING, "
        "expected WHERE ((new.b)::text = 'x'::text) DO INSTEAD NOTHING",
    ),
    Planted(
        T,
        "CREATE RULE r AS ON UPDATE TO t DO INSTEAD NOTHING",
        "CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING",
        "rule r on t: event is UPDATE, expected INSERT",
    ),
    Planted(
        f"{T}; CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING",
        "ALTER TABLE t DISABLE RULE r",
        "",
        "rule r on t: enabled is disabled, expected origin",
    ),
]

POLICIES = [
    Planted(T, "", "CREATE POLICY p ON t", "policy p on t is missing"),
    Planted(
        T,
        "CREATE POLICY p ON t FOR DELETE",
        "CREATE POLICY p ON t",
        "policy p on t: command is DELETE, expected ALL",
    ),
    Planted(
        T,
        "CREATE POLICY p ON t AS RESTRICTIVE",
        "CREATE POLICY p ON t",
        "policy p on t: permissive is no, expected yes",
    ),
    Planted(
        T,
        f"CREATE POLICY p ON t TO {OWNER}",
        "CREATE POLICY p ON t",
        f"policy p on t: roles are ({OWNER}), expected (PUBLIC)",
    ),
    Planted(
        T,
        f"CREATE POLICY p ON t USING ({IN})",
        "CREATE POLICY p ON t",
        f"policy p on t: using is {IN_AGAIN}, expected none",
    ),
    Planted(
        T,
        f"CREATE POLICY p ON t WITH CHECK ({IN})",
        "CREATE POLICY p ON t",
        f"policy p on t: with check is {IN_AGAIN}, expected none",
    ),
]

VIEWS = [
    Planted(
        f"{T}; CREATE VIEW v AS SELECT a FROM t",
        "CREATE OR REPLACE VIEW v AS SELECT a FROM t WHERE a > 0",
        "",
        "view v: definition is SELECT a\\n   FROM t\\n  WHERE (a > 0), "
        "expected SELECT a\\n   FROM t",
    ),
    Planted(
        f"{T}; CREATE VIEW v AS SELECT a FROM t",
        "ALTER VIEW v SET (security_invoker = true)",
        "",
        "view v: options are (security_invoker=true), expected none",
    ),
    Planted(
        T,
        f"CREATE MATERIALIZED VIEW v AS SELECT a FROM t WHERE {IN}",
        f"CREATE MATERIALIZED VIEW v AS SELECT a FROM t WHERE {OTHER_IN}",
        f"materialized view v: definition is SELECT a\\n   FROM t\\n  WHERE {IN_AGAIN}, "
        f"expected SELECT a\\n   FROM t\\n  WHERE {OTHER_IN_AGAIN}",
    ),
]

PLANTED = [
    *TABLES,
    *COLUMNS,
    *CONSTRAINTS,
    *INDEXES,
    *TYPES,
    *SEQUENCES,
    *FUNCTIONS,
    *TRIGGERS,
    *POLICIES,
    *VIEWS,
]
