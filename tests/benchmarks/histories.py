"""One and the same history as each tool wants it: a table for each revision."""

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.rivals import Rivals
from tests.cluster import OWNER, Cluster
from tests.scenarios.process import FOREIGN_ENV, INV, ForeignProject, project

_SQL = "CREATE TABLE t_{} (id bigint PRIMARY KEY)"

_DJANGO_SETTINGS = """
import os
from urllib.parse import urlsplit
url = urlsplit(os.environ["DATABASE_URL"])
SECRET_KEY = "none"
USE_TZ = True
INSTALLED_APPS = ["pace"]
DATABASES = {"default": {
    "ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "HOST": url.hostname,
    "PORT": url.port, "USER": url.username, "PASSWORD": url.password}}
"""

_DJANGO_MIGRATION = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = {dependencies!r}
    operations = [migrations.RunSQL({sql!r})]
"""

_UP = ("upgrade", "head")


@dataclass(frozen=True)
class Tool:
    """How a tool is told to bring a database to the end of its history."""

    command: tuple[str, ...]
    folder: Path
    variables: Mapping[str, str]

    def run(self, url: str) -> None:
        """Do so. Raises RuntimeError with what it said."""
        command, environment = self.command, self.environment(url)
        finished = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, check=False
        )
        if finished.returncode != 0:
            raise RuntimeError(f"{command[0]} failed: {finished.stderr.decode()[-400:]}")

    def start(self, url: str) -> subprocess.Popen[bytes]:
        """Begin to do so."""
        return subprocess.Popen(
            self.command,
            cwd=self.folder,
            env=self.environment(url),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def environment(self, url: str) -> dict[str, str]:
        """Return the variables that it runs with."""
        known = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.folder)}
        # dbmate would insist on TLS.
        return {**known, "DATABASE_URL": f"{url}?sslmode=disable", **self.variables}


class Histories:
    """The same history for all tools, which can be added to."""

    def __init__(self, folder: Path, rivals: Rivals | None) -> None:
        folder.mkdir(parents=True)
        self.count = 0
        self._alembic = ForeignProject(folder / "alembic")
        self._root = project(folder)
        self._dbmate = folder / "dbmate"
        self._dbmate.mkdir()
        self._django = folder / "django"
        migrations = self._django / "pace" / "migrations"
        migrations.mkdir(parents=True)
        for package in (migrations, migrations.parent):
            (package / "__init__.py").touch()
        (self._django / "bench_settings.py").write_text(_DJANGO_SETTINGS)
        alembic = str(INV.with_name("alembic"))
        ini = self._alembic.config
        here = self._alembic.folder
        self.inv = Tool((str(INV), "migrate"), self._root, {"ALEMBIC_CONFIG": str(ini)})
        self.alembic_at_once = Tool((alembic, "-c", self._variant(""), *_UP), here, {})
        each = "transaction_per_migration=True, "
        self.alembic = Tool((alembic, "-c", self._variant(each), *_UP), here, {})
        if rivals is not None:
            options = ("--no-dump-schema", "--migrations-dir", ".", "migrate")
            self.dbmate = Tool((str(rivals.dbmate), *options), self._dbmate, {})
            django = (str(rivals.django), "-m", "django", "migrate", "--no-color")
            settings = {"DJANGO_SETTINGS_MODULE": "bench_settings", "PYTHONPATH": str(self._django)}
            self.django = Tool(django, self._django, settings)

    def _variant(self, options: str) -> str:
        """Return the configuration of the same history with an env.py for Alembic's own command."""
        name = f"own{len(options)}"
        folder = self._alembic.folder / name
        folder.mkdir()
        (folder / "versions").symlink_to(self._alembic.versions)
        env = _by_variable(FOREIGN_ENV).replace("configure(", f"configure({options}")
        (folder / "env.py").write_text(env, encoding="utf-8")
        ini = self._alembic.folder / f"{name}.ini"
        ini.write_text(f"[alembic]\nscript_location = %(here)s/{name}\n", encoding="utf-8")
        return str(ini)

    def add(self, count: int, sql: Callable[[int], str] = _SQL.format) -> None:
        """Go on to this many revisions; `sql` gives what each does."""
        for number in range(self.count + 1, count + 1):
            before, name, statement = f"r{number - 1:05}", f"r{number:05}", sql(number)
            self._alembic.revision(
                name, before if number > 1 else None, f"op.execute({statement!r})", "pass"
            )
            text = f"-- migrate:up\n{statement};\n-- migrate:down\n"
            (self._dbmate / f"{number:014}_{name}.sql").write_text(text)
            dependencies = [("pace", f"{number - 1:05}")] if number > 1 else []
            migration = _DJANGO_MIGRATION.format(dependencies=dependencies, sql=statement)
            (self._django / "pace" / "migrations" / f"{number:05}.py").write_text(migration)
        self.count = max(self.count, count)

    def pretend(self, cluster: Cluster, database: str) -> None:
        """Record for dbmate and Django that all of it has been applied: with them only what it
        costs to find that out is measured.
        """
        count = self.count
        for statement in (
            "CREATE TABLE schema_migrations (version varchar PRIMARY KEY)",
            "INSERT INTO schema_migrations SELECT lpad(n::text, 14, '0')"
            f" FROM generate_series(1, {count}) n",
            "CREATE TABLE django_migrations ("
            " id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, app varchar(255) NOT NULL,"
            " name varchar(255) NOT NULL, applied timestamptz NOT NULL)",
            "INSERT INTO django_migrations (app, name, applied)"
            f" SELECT 'pace', lpad(n::text, 5, '0'), now() FROM generate_series(1, {count}) n",
        ):
            cluster.execute(f"SET ROLE {OWNER}; {statement}", database)


def _by_variable(env: str) -> str:
    """Let an env.py take the URL from the environment, as people have it who call Alembic."""
    return env.replace(
        "config = context.config\n",
        "import os\nconfig = context.config\n"
        "config.set_main_option('sqlalchemy.url',"
        " os.environ['DATABASE_URL'].replace('postgresql:', 'postgresql+psycopg2:', 1))\n",
        1,
    )
