-- One of everything that a catalogue holds, on PostgreSQL 15 and later, with expressions that a dump
-- and restore changes wherever there can be one: IN on a varchar, above all.

CREATE TYPE visibility AS ENUM ('a', 'b');
ALTER TYPE visibility ADD VALUE 'aa' AFTER 'a';
CREATE DOMAIN email AS varchar(40) DEFAULT 'x' NOT NULL
  CONSTRAINT email_ok CHECK (VALUE IN ('x', 'y'));
CREATE TYPE pair AS (a int, b text COLLATE "C");
CREATE TYPE spans AS RANGE (subtype = int4);

CREATE TABLE users (
  id serial PRIMARY KEY,
  name varchar(20) NOT NULL DEFAULT '{name}%',
  "Odd" text COLLATE "C",
  mail email,
  status varchar(10) CHECK (status IN ('a', 'b')),
  up text GENERATED ALWAYS AS (lower(name)) STORED,
  price numeric(10, 2) DEFAULT -1,
  small smallint DEFAULT 1,
  at timestamptz DEFAULT '2024-01-01 00:00:00+03',
  data jsonb DEFAULT '{}',
  CHECK (CASE WHEN status IN ('a', 'b') THEN price > 0 ELSE small < 3 END)
);
CREATE TABLE books (
  id bigint GENERATED ALWAYS AS IDENTITY,
  user_id int REFERENCES users ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  starts date,
  ends date,
  visibility visibility DEFAULT 'a',
  UNIQUE NULLS NOT DISTINCT (starts) INCLUDE (ends),
  EXCLUDE USING gist (daterange(starts, ends) WITH &&) WHERE (visibility IN ('a', 'b'))
);
CREATE TABLE child (x int) INHERITS (users);
CREATE TABLE events (at date, status varchar(3), tag text COLLATE "C", n int REFERENCES users)
  PARTITION BY RANGE (at, (status || tag));
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01', 'a') TO ('2025-01-01', 'b');
CREATE SEQUENCE free INCREMENT 3 CYCLE;

CREATE INDEX by_status ON users (lower(status), name varchar_pattern_ops DESC NULLS LAST)
  INCLUDE ("Odd") WHERE status IN ('a', 'b');
CREATE INDEX by_both ON users ((status || "Odd"));
CREATE INDEX by_number ON events (n);

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE TRIGGER touch BEFORE UPDATE OF status ON users FOR EACH ROW
  WHEN (OLD.name IS DISTINCT FROM NEW.name AND NEW.status IN ('a', 'b')) EXECUTE FUNCTION touch('x');
CREATE TRIGGER touch BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION touch();

-- An argument with the name of a table, which the body then qualifies.
CREATE FUNCTION add(users int, b int DEFAULT 1 + 2) RETURNS bigint LANGUAGE sql BEGIN ATOMIC
  SELECT count(*) FROM users u WHERE u.id = users AND u.status IN ('a', 'b') AND u.small = b;
END;
CREATE FUNCTION add(a text) RETURNS int LANGUAGE sql RETURN 1;
CREATE FUNCTION rows_of(n int) RETURNS TABLE (x int, y text) LANGUAGE sql BEGIN ATOMIC
  SELECT n, 'a'::text;
END;
CREATE PROCEDURE fill(INOUT a int) LANGUAGE sql BEGIN ATOMIC
  INSERT INTO users (name) VALUES ('x');
  SELECT 1;
END;
CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int, initcond = '0');

CREATE VIEW active AS SELECT id, status FROM users WHERE status IN ('a', 'b');
CREATE VIEW counted (n, s, place) AS
  WITH RECURSIVE q (n, s) AS (
    SELECT 1, status::text FROM users WHERE status NOT IN ('a', 'b')
    UNION ALL SELECT n + 1, 'x' FROM q WHERE n < 3)
  SELECT q.*, row_number() OVER (PARTITION BY s ORDER BY n) FROM q JOIN active ON active.status = q.s;
CREATE MATERIALIZED VIEW kept AS SELECT * FROM active;

CREATE RULE inserted AS ON INSERT TO active WHERE new.status IN ('a', 'b')
  DO INSTEAD INSERT INTO users (name, status) VALUES ('x', new.status);
CREATE RULE deleted AS ON DELETE TO users
  DO ALSO (DELETE FROM books WHERE user_id = old.id; NOTIFY deleted);
CREATE RULE updated AS ON UPDATE TO users DO NOTHING;

ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON users FOR SELECT
  USING (status IN ('a', 'b') AND EXISTS (SELECT FROM books b WHERE b.user_id = users.id));

ALTER TABLE books REPLICA IDENTITY FULL;
CREATE TABLE named (name text COLLATE "C", other text) PARTITION BY RANGE (name COLLATE "POSIX", (lower(other)));
CREATE TABLE named_all PARTITION OF named DEFAULT;
CREATE TABLE own_child (name varchar(20), CONSTRAINT own CHECK (name IN ('a', 'b'))) INHERITS (users);
CREATE AGGREGATE rolling(int) (
  sfunc = int4pl, stype = int, msfunc = int4pl, minvfunc = int4mi, mstype = int,
  finalfunc = int4abs, finalfunc_modify = shareable);
