"""Every variable: its default, good and bad values, and which source wins."""

import ast
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

import pytest
from hypothesis import example, given, settings as hypothesis_settings, strategies as st
from psycopg2.extensions import parse_dsn
from sqlalchemy import make_url

from alembic_boot.description import AlembicConfig, OnFailure, SchemaPolicy, ServePolicy
from alembic_boot.errors import ConfigurationError
from alembic_boot.output import masking
from alembic_boot.postgres.urls import build_database_url, parse_database_url
from alembic_boot.variables import LogFormat, LogLevel
from backend import PROGRAM, __version__, settings
from backend.settings import (
    STACK_JWT_SECRET,
    AppEnv,
    Settings,
    load_settings,
)
from backend.variables import VARIABLES
from tests.rights import rights_of_the_files

NO_FILE = Path("/nonexistent/.env")
URL = "postgresql://moriai_user:from-the-url@db.example:6543/stories"
POSTGRES = {"POSTGRES_HOST": "db.example"}
PROD = {"APP_ENV": "prod", "DATABASE_URL": URL}


@pytest.fixture(autouse=True)
def no_secrets_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what a test hides be hidden in that test only."""
    monkeypatch.setattr(masking, "_secrets", set())


def load(**environ: str) -> Settings:
    return load_settings(environ, NO_FILE)


def load_with_file(folder: Path, content: str | bytes, **environ: str) -> Settings:
    file = folder / ".env"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_settings(environ, file)


def refusal(environ: Mapping[str, str], file: Path = NO_FILE) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ, file)
    assert caught.value.exit_status == 2
    return str(caught.value)


DEFAULTS = Settings(
    app_env=AppEnv.DEV,
    database_url=None,
    migration_database_url=None,
    events_database_url=None,
    database_name="moriai_db",
    wait_timeout=60,
    on_failure=OnFailure.CONTINUE,
    schema=SchemaPolicy(target=None, rollback=False),
    serve=ServePolicy(host="127.0.0.1", port=8000, reload=False, workers=1),
    may_create_database=True,
    compare_models=True,
    app_version=__version__,
    preload=("sqlalchemy.orm", "fastapi"),
    seed=True,
    api_docs=True,
    max_body_bytes=1 << 20,
    sign_in_limits=True,
    jwt_secret=None,
    log_level=LogLevel.INFO,
    log_format=LogFormat.TEXT,
    alembic_config=AlembicConfig(Path("alembic.ini")),
    service_links=(),
    asgi_app="backend.main:app",
    seed_callable="backend.seeds:seed",
)


def test_nothing_set_means_development() -> None:
    """Without any variable the settings are those of a laptop: embedded database, local port."""
    assert load() == DEFAULTS


def test_the_process_environment_is_the_default_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments the process's own environment is read."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("APP_ENV", "test")
    monkeypatch.setenv("BACKEND_PORT", "8123")
    assert ((found := load_settings()).app_env, found.serve.port) == (AppEnv.TEST, 8123)


@pytest.mark.parametrize(
    ("app_env", "on_failure", "seed"),
    [
        ("dev", OnFailure.CONTINUE, True),
        ("test", OnFailure.EXIT, True),
        ("prod", OnFailure.EXIT, False),
    ],
)
def test_defaults_by_app_env(app_env: str, on_failure: OnFailure, seed: bool) -> None:
    """Development goes on after a failed migration; production neither does, nor seeds."""
    found = load(APP_ENV=app_env, DATABASE_URL=URL)
    assert (on_failure, seed) == (found.on_failure, found.seed)


# variable, text, what else is set, the setting that it makes, its value
GOOD: list[tuple[str, str, dict[str, str], str, object]] = [
    ("APP_ENV", "test", {}, "app_env", AppEnv.TEST),
    ("APP_ENV", "PROD", {"DATABASE_URL": URL}, "app_env", AppEnv.PROD),
    ("DATABASE_URL", URL, {}, "database_url.raw", URL),
    ("DATABASE_URL", f"  {URL} ", {}, "database_url.raw", URL),
    ("DATABASE_URL", URL, {}, "migration_database_url.raw", URL),
    ("DATABASE_URL", URL, POSTGRES, "database_url.raw", URL),
    ("POSTGRES_HOST", "10.0.0.7", {}, "database_url.parameters.host", "10.0.0.7"),
    ("POSTGRES_HOST", "::1", {}, "database_url.parameters.host", "::1"),
    ("POSTGRES_HOST", "/var/run/x", {}, "database_url.parameters.host", "/var/run/x"),
    ("POSTGRES_PORT", "6000", POSTGRES, "database_url.parameters.port", "6000"),
    ("POSTGRES_USER", "some@one", POSTGRES, "database_url.parameters.user", "some@one"),
    ("POSTGRES_PASSWORD", "p:%/@", POSTGRES, "database_url.parameters.password", "p:%/@"),
    ("POSTGRES_PASSWORD", " padded ", POSTGRES, "database_url.parameters.password", " padded "),
    ("POSTGRES_DB", "my books", POSTGRES, "database_url.parameters.dbname", "my books"),
    ("POSTGRES_DB", "my books", {}, "database_name", "my books"),
    ("MIGRATION_DATABASE_URL", URL, POSTGRES, "migration_database_url.raw", URL),
    ("EVENTS_DATABASE_URL", URL, POSTGRES, "events_database_url.raw", URL),
    ("SCRATCH_DATABASE_URL", URL, {}, "scratch_database_url.raw", URL),
    ("DB_WAIT_TIMEOUT", "0.5", {}, "wait_timeout", 0.5),
    ("DB_WAIT_TIMEOUT", "0", {}, "wait_timeout", 0.0),
    ("MIGRATE_LOCK_TIMEOUT", "7", {}, "schema.lock_timeout", 7.0),
    ("MIGRATE_TRAFFIC_TIMEOUT", "7", {}, "schema.traffic_timeout", 7.0),
    ("MIGRATE_ON_FAILURE", "exit", {}, "on_failure", OnFailure.EXIT),
    ("MIGRATE_ON_FAILURE", "continue", PROD, "on_failure", OnFailure.CONTINUE),
    ("MIGRATION_TARGET", "005", {}, "schema.target", "005"),
    ("MIGRATION_ROLLBACK", "true", {}, "schema.rollback", True),
    ("SEED", "false", {}, "seed", False),
    ("SEED", "true", PROD, "seed", True),
    ("BACKEND_HOST", "0.0.0.0", {}, "serve.host", "0.0.0.0"),
    ("BACKEND_PORT", "0", {}, "serve.port", 0),
    ("BACKEND_PORT", "65535", {}, "serve.port", 65535),
    ("RELOAD", "true", {}, "serve.reload", True),
    ("DRAIN_DELAY", "2.5", {}, "serve.drain_delay", 2.5),
    ("STATUS_HOST", "::1", {}, "status_host", "::1"),
    ("STATUS_PORT", "9000", {}, "status_port", 9000),
    ("API_DOCS", "false", {}, "api_docs", False),
    ("API_DOCS", "true", PROD, "api_docs", True),
    ("MAX_BODY_BYTES", "2048", {}, "max_body_bytes", 2048),
    ("SIGN_IN_LIMITS", "false", {}, "sign_in_limits", False),
    ("FORWARDED_ALLOW_IPS", "10.0.0.0/8", {}, "serve.forwarded_allow_ips", "10.0.0.0/8"),
    ("FORWARDED_ALLOW_IPS", "*", {"SIGN_IN_LIMITS": "no"}, "serve.forwarded_allow_ips", "*"),
    ("WEB_CONCURRENCY", "4", {}, "serve.workers", 4),
    ("JWT_SECRET", "some long text", {}, "jwt_secret", "some long text"),
    ("LOG_LEVEL", "debug", {}, "log_level", LogLevel.DEBUG),
    ("LOG_LEVEL", "WARNING", {}, "log_level", LogLevel.WARNING),
    ("LOG_FORMAT", "json", {}, "log_format", LogFormat.JSON),
    ("ALEMBIC_CONFIG", "other/alembic.ini", {}, "alembic_config.file", Path("other/alembic.ini")),
    ("ALEMBIC_NAME", "second", {}, "alembic_config.name", "second"),
    ("ALEMBIC_X", "tenant=a", {}, "alembic_config.arguments", ("tenant=a",)),
    (
        "ALEMBIC_X",
        "a=1 'b=two words' c",
        {},
        "alembic_config.arguments",
        ("a=1", "b=two words", "c"),
    ),
    ("ASGI_APP", "other:app", {}, "asgi_app", "other:app"),
    ("SEED_CALLABLE", "other:seed", {}, "seed_callable", "other:seed"),
]


def setting(found: Settings, path: str) -> object:
    if "parameters." not in path:
        return attrgetter(path)(found)
    holder, _, key = path.rpartition(".")
    return attrgetter(holder)(found)[key]


@pytest.mark.parametrize(("name", "text", "others", "path", "expected"), GOOD)
def test_a_good_value(
    name: str, text: str, others: dict[str, str], path: str, expected: object
) -> None:
    """A variable that is set makes its setting."""
    assert expected == setting(load(**{**others, name: text}), path)


@pytest.mark.parametrize(("name", "text", "others", "path", "expected"), GOOD)
def test_empty_counts_as_unset(
    name: str, text: str, others: dict[str, str], path: str, expected: object
) -> None:
    """An empty value is as good as none, as Compose passes what is not set."""
    rest = {key: value for key, value in others.items() if key != name}
    assert load(**rest) == load(**{**rest, name: ""})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, True) for text in ("true", "True", "1", "yes", "on", "ON")),
        *((text, False) for text in ("false", "FALSE", "0", "no", "off")),
    ],
)
@pytest.mark.parametrize("name", ["SEED", "MIGRATION_ROLLBACK", "RELOAD"])
def test_words_for_true_and_false(name: str, text: str, expected: bool) -> None:
    """Yes and no can be said in every usual way."""
    found = load(**{name: text})
    values = {
        "SEED": found.seed,
        "MIGRATION_ROLLBACK": found.schema.rollback,
        "RELOAD": found.serve.reload,
    }
    assert expected is values[name]


BAD_URL = "is not a PostgreSQL URL."
MALFORMED = "is malformed."
NO_DATABASE = "names no database."
BAD_PORT = "has a port that is not a number to 65535."
PARTS = "POSTGRES_HOST, POSTGRES_PORT, POSTGRES_USER or POSTGRES_DB"


@pytest.mark.parametrize(
    ("name", "text", "others", "sentence"),
    [
        ("APP_ENV", "staging", {}, "APP_ENV='staging' is none of dev, test, prod."),
        ("DATABASE_URL", "mysql://u:pw@h/db", {}, f"DATABASE_URL {BAD_URL}"),
        ("DATABASE_URL", "host=h dbname=db", {}, f"DATABASE_URL {BAD_URL}"),
        ("DATABASE_URL", "postgresql://u:p%@h/db", {}, f"DATABASE_URL {MALFORMED}"),
        ("DATABASE_URL", "postgresql://u:a@b@h/db", {}, f"DATABASE_URL {MALFORMED}"),
        ("DATABASE_URL", "postgresql://u:a/b@h/db", {}, f"DATABASE_URL {MALFORMED}"),
        ("DATABASE_URL", "postgresql://u:a%ff@h/db", {}, f"DATABASE_URL {MALFORMED}"),
        (
            "DATABASE_URL",
            "postgresql://h/db?nonsense=1",
            {},
            "DATABASE_URL has the option nonsense, which neither libpq nor the driver knows.",
        ),
        ("DATABASE_URL", "postgresql://u:pw@h", {}, f"DATABASE_URL {NO_DATABASE}"),
        ("DATABASE_URL", "postgresql://u:pw@h:99999/db", {}, f"DATABASE_URL {BAD_PORT}"),
        ("DATABASE_URL", "postgresql://u:pw@h:x/db", {}, f"DATABASE_URL {BAD_PORT}"),
        ("DATABASE_URL", "postgresql://u:\udcff@h/db", {}, "DATABASE_URL is not UTF-8."),
        ("MIGRATION_DATABASE_URL", "nonsense", POSTGRES, f"MIGRATION_DATABASE_URL {BAD_URL}"),
        (
            "MIGRATION_DATABASE_URL",
            URL,
            {},
            "MIGRATION_DATABASE_URL is set without DATABASE_URL.",
        ),
        (
            "EVENTS_DATABASE_URL",
            URL,
            {},
            "EVENTS_DATABASE_URL is set without DATABASE_URL.",
        ),
        ("SCRATCH_DATABASE_URL", "nonsense", {}, f"SCRATCH_DATABASE_URL {BAD_URL}"),
        ("POSTGRES_HOST", "a@b", {}, f"{PARTS} {MALFORMED}"),
        ("POSTGRES_PORT", "x", POSTGRES, f"{PARTS} {BAD_PORT}"),
        ("POSTGRES_PORT", "0", POSTGRES, f"{PARTS} {BAD_PORT}"),
        ("POSTGRES_PORT", "5432/other", POSTGRES, f"{PARTS} {BAD_PORT}"),
        ("POSTGRES_PASSWORD", "x\udcff", POSTGRES, "POSTGRES_PASSWORD is not UTF-8."),
        (
            "POSTGRES_PASSWORD_FILE",
            "/nonexistent/secret",
            POSTGRES,
            "POSTGRES_PASSWORD_FILE cannot be read: "
            "[Errno 2] No such file or directory: '/nonexistent/secret'.",
        ),
        (
            "POSTGRES_PASSWORD_FILE",
            "/run/secrets/password",
            {**POSTGRES, "POSTGRES_PASSWORD": "both"},
            "POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are both set.",
        ),
        (
            "JWT_SECRET_FILE",
            "/nonexistent/secret",
            {},
            "JWT_SECRET_FILE cannot be read: "
            "[Errno 2] No such file or directory: '/nonexistent/secret'.",
        ),
        (
            "JWT_SECRET_FILE",
            "/run/secrets/key",
            {"JWT_SECRET": "both"},
            "JWT_SECRET and JWT_SECRET_FILE are both set.",
        ),
        (
            "DB_WAIT_TIMEOUT",
            "soon",
            {},
            "DB_WAIT_TIMEOUT='soon' is not a number of seconds from 0 up.",
        ),
        (
            "MIGRATE_LOCK_TIMEOUT",
            "long",
            {},
            "MIGRATE_LOCK_TIMEOUT='long' is not a number of seconds from 0 up.",
        ),
        ("DB_WAIT_TIMEOUT", "-1", {}, "DB_WAIT_TIMEOUT='-1' is not a number of seconds from 0 up."),
        (
            "DB_WAIT_TIMEOUT",
            "nan",
            {},
            "DB_WAIT_TIMEOUT='nan' is not a number of seconds from 0 up.",
        ),
        (
            "DB_WAIT_TIMEOUT",
            "inf",
            {},
            "DB_WAIT_TIMEOUT='inf' is not a number of seconds from 0 up.",
        ),
        (
            "MIGRATE_ON_FAILURE",
            "ignore",
            {},
            "MIGRATE_ON_FAILURE='ignore' is none of continue, exit.",
        ),
        (
            "MIGRATION_ROLLBACK",
            "maybe",
            {},
            "MIGRATION_ROLLBACK='maybe' is neither true nor false.",
        ),
        ("SEED", "2", {}, "SEED='2' is neither true nor false."),
        ("RELOAD", "y e s", {}, "RELOAD='y e s' is neither true nor false."),
        ("BACKEND_PORT", "http", {}, "BACKEND_PORT='http' is not a number from 0 to 65535."),
        ("BACKEND_PORT", "65536", {}, "BACKEND_PORT='65536' is not a number from 0 to 65535."),
        ("BACKEND_PORT", "-1", {}, "BACKEND_PORT='-1' is not a number from 0 to 65535."),
        ("MAX_BODY_BYTES", "0", {}, "MAX_BODY_BYTES='0' is not a number from 1 to 1099511627776."),
        ("DRAIN_DELAY", "soon", {}, "DRAIN_DELAY='soon' is not a number of seconds from 0 up."),
        ("WEB_CONCURRENCY", "0", {}, "WEB_CONCURRENCY='0' is not a number from 1 to 1024."),
        ("WEB_CONCURRENCY", "2.5", {}, "WEB_CONCURRENCY='2.5' is not a number from 1 to 1024."),
        ("LOG_LEVEL", "loud", {}, "LOG_LEVEL='loud' is none of debug, info, warning, error."),
        ("LOG_FORMAT", "xml", {}, "LOG_FORMAT='xml' is none of text, json."),
        *(
            (
                "FORWARDED_ALLOW_IPS",
                proxies,
                {},
                "FORWARDED_ALLOW_IPS trusts every address, so each client could invent its own "
                "and escape the limits of attempts.",
            )
            for proxies in ("*", "0.0.0.0/0", "10.0.0.7, ::/0")
        ),
        (
            "RELOAD",
            "true",
            {"WEB_CONCURRENCY": "2"},
            "RELOAD works with one worker only.",
        ),
    ],
)
def test_a_bad_value(name: str, text: str, others: dict[str, str], sentence: str) -> None:
    """A value that means nothing is one sentence that names the variable, and says what to do."""
    said = refusal({**others, name: text})
    assert sentence == said[: len(sentence)]
    assert re.fullmatch(r" \S.*\.", said[len(sentence) :])


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {},
            "No database is configured. APP_ENV=prod needs DATABASE_URL, or POSTGRES_HOST with "
            "POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB.",
        ),
        (
            POSTGRES,
            "POSTGRES_PASSWORD is not set. APP_ENV=prod has no default for it: set it, or "
            "POSTGRES_PASSWORD_FILE.",
        ),
        (
            {"DATABASE_URL": URL, "RELOAD": "1"},
            "RELOAD is for development only, and APP_ENV is prod. Unset RELOAD.",
        ),
    ],
)
def test_what_production_refuses(environ: dict[str, str], expected: str) -> None:
    """Production has no embedded database, no reloading and no password that everybody knows."""
    assert expected == refusal({**environ, "APP_ENV": "prod"})


def test_reload_is_refused_under_test_as_well() -> None:
    """Only development reloads."""
    assert (
        refusal({"APP_ENV": "test", "RELOAD": "1"})
        == "RELOAD is for development only, and APP_ENV is test. Unset RELOAD."
    )


def test_production_takes_a_password_that_is_given() -> None:
    """In production the parts do when the password is among them."""
    found = load(APP_ENV="prod", POSTGRES_PASSWORD="given", **POSTGRES)
    assert found.database_url is not None
    assert found.database_url.parameters["password"] == "given"


@pytest.mark.parametrize("app_env", ["dev", "test", "prod"])
def test_the_secret_is_needed_to_serve_in_production_only(app_env: str) -> None:
    """Migrating in production works without JWT_SECRET; serving does not."""
    found = load(APP_ENV=app_env, DATABASE_URL=URL)
    if app_env != "prod":
        found.require_secrets_to_serve()
        return
    with pytest.raises(ConfigurationError) as caught:
        found.require_secrets_to_serve()
    assert (
        str(caught.value) == "JWT_SECRET is not set. "
        "Serving in production needs it: set a long random text, or JWT_SECRET_FILE."
    )
    load(JWT_SECRET="long random text", **PROD).require_secrets_to_serve()


def test_a_short_secret_is_refused_in_production() -> None:
    """It could be found by trying; a laptop may have what it wants."""
    with pytest.raises(ConfigurationError, match=r"JWT_SECRET is shorter than 16 characters\."):
        load(JWT_SECRET="fifteen letters", **PROD).require_secrets_to_serve()
    load(JWT_SECRET="short", DATABASE_URL=URL).require_secrets_to_serve()


@pytest.mark.parametrize("content", ["", "\n", " ", STACK_JWT_SECRET])
def test_a_blank_secret_is_none(tmp_path: Path, content: str) -> None:
    """A file that nobody has filled signs no tokens."""
    file = tmp_path / "secret"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"JWT_SECRET is not set\."):
        load(JWT_SECRET_FILE=str(file), **PROD).require_secrets_to_serve()
    file.write_text("long random text\n")
    found = load(JWT_SECRET_FILE=str(file), **PROD)
    found.require_secrets_to_serve()
    assert found.jwt_secret == "long random text"


class TestDotEnv:
    def test_the_environment_wins(self, tmp_path: Path) -> None:
        """What both say counts as the environment says it; the file adds what that leaves out."""
        found = load_with_file(tmp_path, "BACKEND_PORT=1\nSEED=no\n", BACKEND_PORT="2")
        assert (found.serve.port, found.seed) == (2, False)

    def test_a_misspelt_name_is_reported(self, tmp_path: Path) -> None:
        """Only one of the file, and only one that is close to a setting's name."""
        lines = "BACKEND_PROT=1\nMIGRATE_TARGET=2\nTHEIRS=3\nBACKEND_PROTO=\n"
        lines += "POSTGRES_IMAGE=4\nPYTHON_IMAGE=5\nREVISION=6\nTEST_DATABASE_URL=7\n"
        found = load_with_file(tmp_path, lines, SEDE="1", LOG_LEVLE="2")
        assert found.misspelt == (
            ("BACKEND_PROT", "BACKEND_PORT"),
            ("MIGRATE_TARGET", "MIGRATION_TARGET"),
        )

    def test_an_empty_variable_does_not_hide_the_file(self, tmp_path: Path) -> None:
        """An empty variable is unset, so the file's value counts."""
        assert load_with_file(tmp_path, "BACKEND_PORT=1\n", BACKEND_PORT="").serve.port == 1

    @pytest.mark.parametrize(
        ("app_env", "expected"),
        [("", 1), ("dev", 1), ("DEV", 1), (" dev ", 1), ("test", 8000), ("prod", 8000)],
    )
    def test_is_read_in_development_only(self, tmp_path: Path, app_env: str, expected: int) -> None:
        """Neither tests nor production depend on a file that lies about."""
        found = load_with_file(tmp_path, "BACKEND_PORT=1\n", APP_ENV=app_env, DATABASE_URL=URL)
        assert expected == found.serve.port

    def test_is_not_even_opened_elsewhere(self, tmp_path: Path) -> None:
        """A broken file does not stop production."""
        assert load(**PROD) == load_with_file(tmp_path, b"SEED=\xe9\n", **PROD)

    def test_unknown_keys_are_left_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Keys of other tools stop nothing, and nothing is put into the process's environment."""
        monkeypatch.delenv("COMPOSE_PROJECT_NAME", raising=False)
        content = "COMPOSE_PROJECT_NAME=books\nexport FOO='bar'\nNOT A LINE\nEMPTY=\nLONE\n"
        assert load_with_file(tmp_path, content) == DEFAULTS
        assert "COMPOSE_PROJECT_NAME" not in os.environ

    def test_a_value_that_is_not_written_well(self, tmp_path: Path) -> None:
        """One of ours is refused by its line and name; its value may be a secret."""
        file = tmp_path / ".env"
        file.write_text("OTHER='x\nPOSTGRES_PASSWORD=secret${\n", encoding="utf-8")
        assert refusal({}, file) == (
            f"{file}, line 2: POSTGRES_PASSWORD: no variable's name follows ${{; write $${{ for a "
            "literal ${. Correct it."
        )

    def test_a_file_in_another_encoding(self, tmp_path: Path) -> None:
        """A file that is not UTF-8 is one sentence, with what to do."""
        file = tmp_path / ".env"
        file.write_bytes("POSTGRES_DB=bücher\n".encode("latin-1"))
        expected = (
            f"{file} cannot be read: 'utf-8' codec can't decode byte 0xfc in position 13: "
            "invalid start byte. Fix or remove it."
        )
        assert expected == refusal({}, file)

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("POSTGRES_DB=books # mine", "books"),
            ("POSTGRES_DB='my books'", "my books"),
            ('POSTGRES_DB="my books"', "my books"),
            ("export POSTGRES_DB=books\r", "books"),
            ("POSTGRES_DB=bücher", "bücher"),
            ("POSTGRES_DB='a$b${c}'", "a$b${c}"),
            ("POSTGRES_DB=a$$b", "a$b"),
            ("X=x\nPOSTGRES_DB=$X-${Y:-y}", "x-y"),
        ],
    )
    def test_ways_to_write_a_value(self, tmp_path: Path, line: str, expected: str) -> None:
        """Quotes, comments, `export` and variables are read as Compose reads them."""
        assert expected == load_with_file(tmp_path, line + "\n").database_name

    def test_a_file_below_a_folder_that_is_closed(self, tmp_path: Path) -> None:
        """A link may lead there; it is not known what the file would set."""
        folder = tmp_path / "closed"
        folder.mkdir(mode=0)
        file = folder / ".env"
        with rights_of_the_files():
            assert refusal({}, file) == (
                f"{file} cannot be read: Permission denied. Fix the path or its rights."
            )
        folder.chmod(0o755)

    def test_a_folder_of_that_name_is_no_file(self, tmp_path: Path) -> None:
        """A folder called `.env`, as some name their virtual environment, is passed over."""
        assert load_settings({}, tmp_path) == DEFAULTS


class TestPasswordFile:
    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ("secret", "secret"),
            ("secret\n", "secret"),
            ("secret\r\n", "secret"),
            (" sécret\t \n", " sécret\t "),
            ("%/@: ?#\n", "%/@: ?#"),
        ],
    )
    def test_holds_the_password(self, tmp_path: Path, content: str, expected: str) -> None:
        """The file's text is the password, without the line's end."""
        file = tmp_path / "secret"
        file.write_bytes(content.encode())
        found = load(POSTGRES_PASSWORD_FILE=str(file), **POSTGRES)
        assert found.database_url is not None
        assert expected == found.database_url.parameters["password"]

    def test_in_another_encoding(self, tmp_path: Path) -> None:
        """A password that is not UTF-8 is one sentence, which does not repeat it."""
        file = tmp_path / "secret"
        file.write_bytes(b"geheim\xff")
        said = refusal({**POSTGRES, "POSTGRES_PASSWORD_FILE": str(file)})
        assert said.startswith("POSTGRES_PASSWORD_FILE cannot be read: 'utf-8' codec can't decode")
        assert "geheim" not in said

    def test_in_production(self, tmp_path: Path) -> None:
        """A file is a password that was given."""
        file = tmp_path / "secret"
        file.write_text("mounted")
        found = load(APP_ENV="prod", POSTGRES_PASSWORD_FILE=str(file), **POSTGRES)
        assert found.database_url is not None
        assert found.database_url.parameters["password"] == "mounted"


# An environment variable can hold any character but NUL.
parts = st.text(
    st.characters(codec="utf-8", exclude_characters="\0") | st.sampled_from("%@/: ?#+&=[]\\'\""),
    min_size=1,
    max_size=20,
)


@hypothesis_settings(deadline=None)
@given(user=parts, password=parts, database=parts)
@example("a%b", "p@ss/w:rd %41+é", "d b?x=y#z")
@example("a:b@c", "%", "a/b")
def test_parts_survive_the_url(user: str, password: str, database: str) -> None:
    """What goes into a URL comes out of it, read by the driver and by SQLAlchemy."""
    url = build_database_url(
        host="db.example", port="5432", user=user, password=password, database=database
    )
    expected = {
        "host": "db.example",
        "port": "5432",
        "user": user,
        "password": password,
        "dbname": database,
    }
    assert expected == parse_dsn(url.raw) == url.parameters
    read = make_url(url.sqlalchemy_url)
    found = read.database or read.query["dbname"]
    assert (user, password, database) == (read.username, read.password, found)
    assert (read.host, read.port) == ("db.example", 5432)


@hypothesis_settings(deadline=None)
@given(folder=parts.filter(lambda it: "," not in it), password=parts)
@example("run/a b%", "p+q")
def test_a_socket_folder_survives_the_url(folder: str, password: str) -> None:
    """A folder of a Unix socket comes out as it went in, for both readers; a comma parts hosts."""
    url = build_database_url(
        host=f"/{folder}", port="5432", user="u", password=password, database="db"
    )
    assert (f"/{folder}", password) == (url.parameters["host"], url.parameters["password"])
    assert (f"/{folder}", password) == (
        (read := make_url(url.sqlalchemy_url)).query["host"],
        read.password,
    )


def test_every_variable_has_a_case() -> None:
    """The table of good values covers what the README's table is made of."""
    files = {"POSTGRES_PASSWORD_FILE", "JWT_SECRET_FILE"}
    assert set(VARIABLES) - files == {name for name, *_ in GOOD}


def test_no_variable_is_read_that_is_not_listed() -> None:
    """The names that the code reads are the names that the README lists: no more, no fewer."""
    tree = ast.parse(Path(settings.__file__).read_text())
    read = {
        (call.func.attr, call.args[0].value)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
        and re.fullmatch("[A-Z_]{4,}", call.args[0].value)
    }
    files = {f"{name}_FILE" for reader, name in read if reader == "secret"}
    assert set(VARIABLES) == {name for _, name in read} | files | set(PROGRAM.settings.values())


def test_what_to_boot() -> None:
    """The description holds the settings; the embedded database stands in where none is set."""
    embedded = parse_database_url("postgresql://postgres@/moriai_db?host=/tmp")
    found = load().description(embedded)
    assert (embedded, embedded, True) == (
        found.database_url,
        found.migration_database_url,
        found.may_create_database,
    )
    owner = parse_database_url("postgresql://owner:pw@direct/db")
    configured = replace(load(**PROD), migration_database_url=owner)
    assert (URL, owner, False) == (
        (boot := configured.description(embedded)).database_url.raw,
        boot.migration_database_url,
        boot.may_create_database,
    )
    # In production nothing is compared that a release was not checked for.
    assert (found.compare_models, boot.compare_models) == (True, False)
    with pytest.raises(ConfigurationError) as caught:
        load().description()
    assert (
        str(caught.value)
        == "No database is configured. Set DATABASE_URL, or use `inv start`, which brings an "
        "embedded PostgreSQL along."
    )


def test_secrets_stay_out_of_the_repr() -> None:
    """Whoever prints the settings shows neither passwords nor the secret."""
    found = load(DATABASE_URL=URL, JWT_SECRET="signs-the-tokens", SCRATCH_DATABASE_URL=URL)
    shown = f"{found!r} {found} {found.description()!r}"
    assert [secret for secret in ("from-the-url", "signs-the-tokens") if secret in shown] == []


def test_secrets_are_masked_once_they_were_read() -> None:
    """Loading the settings tells the log what must never stand in it."""
    load(
        JWT_SECRET="signs-the-tokens",
        POSTGRES_PASSWORD="for the app",
        MIGRATION_DATABASE_URL="postgresql://o:for%20the%20owner@h/db",
        SCRATCH_DATABASE_URL="postgresql://o:for-scratch@h/db",
        **POSTGRES,
    )
    assert (
        masking.mask("signs-the-tokens, for the app, for the owner, for%20the%20owner for-scratch")
        == "***, ***, ***, *** ***"
    )


def test_a_password_is_hidden_as_it_was_written() -> None:
    """An env.py may say the URL that it was given, in which anything may be percent-encoded."""
    load(DATABASE_URL="postgresql://me:hu%2fn%74er2@localhost/books")
    assert masking.mask("no such host: hu%2fn%74er2") == "no such host: ***"
    assert masking.mask("no such host: hu/nter2") == "no such host: ***"


@pytest.mark.parametrize(
    "url",
    ["postgresql://same:same@h/d", "postgresql://u:same@h/same", "postgresql://u:same@same/d"],
)
def test_a_password_that_is_a_name_as_well(url: str) -> None:
    """The name has to be readable; at the password's place it is blanked out."""
    load_settings({"DATABASE_URL": url})
    assert masking.mask("the role same") == "the role same"
    assert masking.mask(url) == url.replace(":same@", ":***@")
