"""The journal's SQL, with a placeholder for its name, which cannot be a parameter of SQL."""

import re

JOURNAL_TABLE = "schema_journal"

COLUMNS = (
    *("revision", "down_revision", "direction", "phase", "file_sha256", "checksum", "status"),
    *("started_at", "finished_at", "duration_ms", "error", "host", "pid", "backend_pid"),
    *("backend_start", "app_version"),
)
"""The columns that `status` shows."""

CREATE = """
CREATE TABLE IF NOT EXISTS {journal} (
    id bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version_table text NOT NULL,
    revision text NOT NULL,
    down_revision text,
    direction text NOT NULL CHECK (direction IN ('upgrade', 'downgrade', 'stamp')),
    phase text NOT NULL CHECK (phase IN ('expand', 'contract')),
    file_sha256 text,
    checksum text,
    status text NOT NULL CHECK (status IN ('running', 'applied', 'failed')),
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    duration_ms bigint,
    error text,
    host text NOT NULL,
    pid bigint NOT NULL,
    backend_pid integer,
    backend_start timestamp with time zone,
    session_key bigint,
    app_version text,
    committed text)
"""

TYPES = dict(
    re.findall(
        r"^    (\w+) ((?:text|bigint|integer|timestamp with time zone)(?: NOT NULL)?)", CREATE, re.M
    )
)
"""Each column's type, by PostgreSQL's own name, and whether it has a value in each row.

Some columns are for boot itself.
"""


def readable(column: str) -> str:
    """Return SQL for a time; NULL if Python has no such time, as for `infinity` or the year 10000.

    A day is left for the time zones.
    """
    return f"CASE WHEN {column} BETWEEN '0001-01-02' AND '9999-12-30' THEN {column} END"


NOTE_COMMITTED = """
UPDATE {journal} SET committed = {text} WHERE id = {id} AND status = 'running'
"""

# One pass over the journal: a join with its later rows would be quadratic for one revision.
UNFINISHED = """
SELECT id, revision, direction, file_sha256, committed
FROM {journal}
WHERE version_table = %s AND status = 'failed'
  AND id IN (SELECT max(id) FROM {journal} GROUP BY version_table, revision)
ORDER BY revision
"""

# Its answer may be lost on the way; then it is sent again.
BEGIN = """
WITH begun AS (
    SELECT id FROM {journal}
    WHERE session_key = %(session_key)s AND revision = %(revision)s
      AND direction = %(direction)s AND status = 'running'),
new AS (
    INSERT INTO {journal} (
        version_table, revision, down_revision, direction, phase, file_sha256, checksum, status,
        started_at, host, pid, backend_pid, backend_start, session_key, app_version)
    SELECT
        %(version_table)s, %(revision)s, %(down_revision)s, %(direction)s, %(phase)s,
        %(file_sha256)s, %(checksum)s, 'running',
        clock_timestamp(), %(host)s, %(pid)s, %(backend_pid)s, %(backend_start)s, %(session_key)s,
        %(app_version)s
    WHERE NOT EXISTS (SELECT FROM begun)
    RETURNING id)
SELECT id FROM begun UNION ALL SELECT id FROM new
"""

# If a row is no longer running, this process was considered dead, and another one took over.
FINISH = f"""
UPDATE {{journal}}
SET status = {{status}}, error = {{error}}, finished_at = clock_timestamp(),
    duration_ms = round(extract(epoch FROM clock_timestamp() - {readable("started_at")}) * 1000)
WHERE id = ANY (ARRAY[{{ids}}]::bigint[]) AND status = 'running'
"""  # noqa: S608 (constants)

# One statement for all that is recorded of a revision: each one takes a round trip.
MOVE = """
WITH applied AS ({applied} RETURNING id),
moved AS (
    UPDATE {version_table} SET version_num = {after}
    WHERE version_num = {before} AND (SELECT count(*) FROM applied) = {count}
    RETURNING 0)
"""

FOLLOWING = """
INSERT INTO {journal} (status, started_at, {columns})
SELECT 'running', clock_timestamp(), {values} FROM moved RETURNING id
"""

NOTHING_FOLLOWS = "SELECT 0 FROM moved"

BASE = "base"
"""The revision in the row of a stamp which records that nothing of the history is there."""

# The latest change of a revision decides whether it is in the database. A stamp of base ends all
# rows before.
_LATEST = f"""(
    SELECT DISTINCT ON (revision COLLATE "C") *
    FROM {{journal}} change
    WHERE version_table = %s AND status = 'applied' AND NOT EXISTS (
        SELECT FROM {{journal}} base
        WHERE base.version_table = change.version_table AND base.id >= change.id
          AND base.direction = 'stamp' AND base.revision = '{BASE}' AND base.status = 'applied')
    ORDER BY revision COLLATE "C", id DESC) AS latest
WHERE direction <> 'downgrade'
"""  # noqa: S608 (constants)

APPLIED = f"""
SELECT revision, down_revision, phase, file_sha256, checksum, {readable("finished_at")}, host,
       app_version, direction = 'stamp',
       CASE WHEN direction = 'stamp' THEN ARRAY(
           SELECT former.checksum::text FROM {{journal}} former
           WHERE former.version_table = latest.version_table
             AND former.revision = latest.revision AND former.id < latest.id
             AND former.status = 'applied' AND former.direction <> 'downgrade'
             AND former.down_revision IS NOT DISTINCT FROM latest.down_revision
             AND former.checksum IS NOT NULL) END
FROM {_LATEST}
"""  # noqa: S608 (constants)

# Equal to Python's `digest_of`; for ids that are not ASCII, only in a database with UTF8.
DIGEST = f"""
SELECT encode(sha256(convert_to(string_agg(
    concat_ws(' ', revision, coalesce(file_sha256, '-'), coalesce(down_revision, '-')),
    chr(10) ORDER BY revision COLLATE "C"), getdatabaseencoding())), 'hex')
FROM {_LATEST}
"""  # noqa: S608 (constants)

# A journal that began late does not have the revisions below: the last downgrade tells.
ENDS_AT_BASE = f"""
SELECT FROM (
    SELECT * FROM {{journal}}
    WHERE version_table = %s AND status = 'applied' ORDER BY id DESC LIMIT 1) AS newest
WHERE down_revision IS NULL
  AND (direction = 'downgrade' OR direction = 'stamp' AND revision = '{BASE}')
"""  # noqa: S608 (constants)

LAST = f"""
SELECT {", ".join(readable(it) if "timestamp" in TYPES[it] else it for it in COLUMNS)}
FROM {{journal}}
WHERE version_table = %s AND (%s::text IS NULL OR revision = %s)
ORDER BY id DESC
LIMIT %s OFFSET %s
"""  # noqa: S608 (constants)

# The name may also be that of a type, because each table has a type of its name.
IS_JOURNAL = """
SELECT CASE WHEN to_regclass({name}) IS NULL AND to_regtype({name}) IS NOT NULL THEN false ELSE (
    SELECT c.relkind IN ('r', 'p')
       AND ARRAY[{columns}] <@ ARRAY(
           SELECT concat_ws(' ', attname, format_type(atttypid, NULL),
               CASE WHEN attnotnull THEN 'NOT NULL' END)
           FROM pg_attribute WHERE attrelid = c.oid)
    FROM pg_class c WHERE c.oid = to_regclass({name})) END
"""

RIGHTS = """
SELECT current_user::text, has_table_privilege(oid, 'SELECT'), relrowsecurity OR relkind = 'v'
FROM pg_class WHERE oid = to_regclass({name}) AND ({shape})
"""

RUNNING = f"""
SELECT id, revision, host, pid, {readable("started_at")}, session_key
FROM {{journal}}
WHERE version_table = %s AND status = 'running'
ORDER BY id
"""  # noqa: S608 (constants)
