"""In which schemas a revision makes something, read from its text."""

import pytest

from alembic_boot.history.schema_names import SchemaNames

OTHERS = frozenset({"app", "App", "auth", "audit", "public"})


def counted(source: str, models: str = "", **names: object) -> str:
    """Return which of the schemas of a database count, for a revision and for models."""
    found = SchemaNames()
    found.read_python(source, names.get)
    return " ".join(sorted(found.among(OTHERS, frozenset(models.split()))))


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ('op.create_table("t", sa.Column("id", sa.Integer), schema="app")', "app"),
        ('op.create_table("t", sa.Column("app", sa.Integer), sa.Column("auth", sa.Text))', ""),
        ('op.add_column("t", sa.Column("x", sa.Text), schema="app")', "app"),
        ('op.create_index("i", "t", ["x"], schema=None)', ""),
        ('sa.Table("t", sa.MetaData(schema="app")).create(op.get_bind())', "app"),
        ('args = {"schema": "app"}', "app"),
        ('with op.batch_alter_table("t", schema="app") as batch:\n    pass', "app"),
        # references
        ('op.create_foreign_key("f", "t", "u", ["x"], ["y"], referent_schema="auth")', ""),
        ('op.create_foreign_key("f", "t", "u", ["x"], ["y"], source_schema="app")', "app"),
        ('op.create_table("t", sa.Column("u", sa.ForeignKey("auth.users.id")))', ""),
        ('inspector.has_table("users", schema="auth")', ""),
        ('op.bulk_insert(sa.table("users", schema="auth"), [])', ""),
        # SQL
        ('op.execute("CREATE SCHEMA app")', "app"),
        ('op.execute("create schema if not exists app authorization me")', "app"),
        ('op.execute("CREATE SCHEMA AUTHORIZATION app")', "app"),
        ("op.execute('CREATE SCHEMA \"App\"')", "App"),
        ('op.execute("CREATE SCHEMA APP")', "app"),
        ('op.execute("create table app.t (x int)")', "app"),
        ('op.execute("CREATE UNLOGGED TABLE IF NOT EXISTS app . t (x int)")', "app"),
        ('op.execute(sa.text("CREATE MATERIALIZED VIEW app.v AS SELECT 1"))', "app"),
        (
            'op.execute("CREATE OR REPLACE FUNCTION app.f() RETURNS int LANGUAGE sql AS $$$$")',
            "app",
        ),
        ('op.execute("CREATE TABLE t (u int REFERENCES auth.users)")', ""),
        ('op.execute("CREATE TRIGGER g AFTER INSERT ON auth.users EXECUTE FUNCTION f()")', ""),
        ('op.execute("CREATE INDEX i ON auth.users (x)")', ""),
        ('op.execute("INSERT INTO t SELECT * FROM auth.users")', ""),
        ('op.execute("SELECT 1; CREATE TABLE app.t ()")', "app"),
        ("op.execute(\"DO $$ BEGIN EXECUTE 'CREATE TABLE app.t ()'; END $$\")", "app"),
        ('op.execute("-- CREATE TABLE app.t\\nSELECT 1 AS x")', ""),
        ('op.execute("ALTER TABLE t SET SCHEMA app")', "app"),
        ('op.execute("ALTER SCHEMA old RENAME TO app")', "app"),
        ('op.execute("ALTER TABLE old RENAME TO app")', ""),
        # search_path
        ('op.execute("SET search_path TO app, audit")', "app audit"),
        ("op.execute(\"SET LOCAL search_path = 'app'\")", "app"),
        ("op.execute(\"SELECT set_config('search_path', 'app, audit', true)\")", "app audit"),
        (
            'op.execute("CREATE FUNCTION f() RETURNS int SET search_path = auth AS $$ $$")',
            "",
        ),
        # names that are put together
        ('SCHEMA = "app"\nop.create_table("t", schema=SCHEMA)', "app"),
        ('SCHEMA = "app"\nop.execute(f"CREATE TABLE {SCHEMA}.t (x int)")', "app"),
        ('op.create_table("t", schema=IMPORTED)', "audit"),
        ('op.execute(f"CREATE SCHEMA IF NOT EXISTS {IMPORTED}")', "audit"),
        ('for name in ("app", "audit"):\n    op.create_table("t", schema=name)', "app audit"),
        ('for name in ["app"]:\n    op.execute(f"CREATE TABLE {name}.t (x int)")', "app"),
        ('NAMES = ["app"]\nop.execute("CREATE TABLE {}.t (x int)".format(NAMES[0]))', "app"),
        ('op.execute("CREATE SCHEMA %s" % (["app"][0],))', "app"),
        ('op.create_table("t", schema=os.environ.get("SCHEMA", "app"))', "app"),
    ],
)
def test_where_it_makes_something(statement: str, expected: str) -> None:
    """What it makes counts, by whichever spelling; what it only refers to does not."""
    assert counted(statement, IMPORTED="audit") == expected


@pytest.mark.parametrize(
    "source",
    [
        '"""CREATE TABLE app.t"""',
        'revision = "app"\nbranch_labels = ("app",)\nop.create_table("t", schema=unknown)',
        'def downgrade():\n    op.create_table("t", schema="app")',
        "# CREATE TABLE app.t",
    ],
)
def test_what_says_nothing(source: str) -> None:
    """Docstrings, comments, the header and the way down."""
    assert counted(source) == ""


@pytest.mark.parametrize(
    ("source", "models", "expected"),
    [
        ('op.create_table("t")', "app", "app"),
        ('op.create_table("t", schema="app")', "app auth", "app auth"),
        # declared for a foreign key's sake
        (
            'op.create_table("t", sa.Column("u", sa.ForeignKey("auth.users.id")), schema="app")',
            "app auth",
            "app",
        ),
        ('op.execute("ALTER TABLE t ADD u int REFERENCES auth.users")', "auth", ""),
        # by the models themselves
        ("Base.metadata.create_all(op.get_bind())", "app", "app"),
        ('op.create_table("t", schema="nowhere")', "nowhere", ""),
    ],
)
def test_beside_the_models(source: str, models: str, expected: str) -> None:
    """A schema of the models counts, unless the history only refers to it."""
    assert counted(source, models) == expected


def test_files_of_sql() -> None:
    """A text that a revision reads from elsewhere says the same."""
    names = SchemaNames()
    names.read_sql("CREATE SCHEMA app; CREATE TABLE audit.t (); SELECT * FROM auth.users")
    assert names.among(OTHERS, frozenset()) == {"app", "audit"}
