"""The URL that an env.py uses by itself, learned without a connection."""

import asyncio
import gc
from pathlib import Path

import pytest

from alembic_boot.description import AlembicConfig
from alembic_boot.environment.env_text import url_for
from alembic_boot.environment.own_url import own_url
from alembic_boot.errors import BootError, ConfigurationError
from alembic_boot.postgres.urls import parse_database_url
from tests.scenarios.process import ForeignProject

SYNC = """
from alembic import context
from sqlalchemy import create_engine
engine = create_engine({url!r}, **{options})
{connect}
"""
CONNECT = "engine.connect()"
SWALLOWING = """
for attempt in range(3):
    try:
        engine.connect()
    except {what}:
        pass
"""
ASYNC = """
import asyncio
from sqlalchemy.ext.asyncio import create_async_engine
async def main():
    async with create_async_engine({url!r}, **{options}).connect():
        pass
asyncio.run(main())
"""


CONTEXT = """\
{{"connect_args": {{"ssl": (lambda ssl, it: (
    setattr(it, "check_hostname", False), setattr(it, "verify_mode", ssl.{}), it
)[-1])(__import__("ssl"), __import__("ssl").create_default_context())}}}}"""


def sync(url: str, connect: str = CONNECT, options: str = "{}") -> str:
    return SYNC.format(url=url, options=options, connect=connect)


def asked(folder: Path, env: str) -> tuple[dict[str, str], str]:
    project = ForeignProject(folder / "theirs", env)
    found = own_url(AlembicConfig(project.config))
    assert found.is_env_pys
    return dict(found.parameters), found.driver


LOGIN = {"user": "u", "password": "secret-p", "host": "h", "port": "5", "dbname": "d"}
URL = "postgresql+{}://u:secret-p@h:5/d"


@pytest.mark.parametrize(
    ("env", "driver", "more"),
    [
        (sync(URL.format("psycopg2")), "psycopg2", {}),
        (sync(URL.format("psycopg") + "?sslmode=require"), "psycopg", {"sslmode": "require"}),
        (sync(URL.format("psycopg2"), SWALLOWING.format(what="Exception")), "psycopg2", {}),
        (sync(URL.format("psycopg2"), SWALLOWING.format(what="BaseException")), "psycopg2", {}),
        (
            sync(URL.format("psycopg2"), options='{"connect_args": {"sslmode": "disable"}}'),
            "psycopg2",
            {"sslmode": "disable"},
        ),
        (
            ASYNC.format(url=URL.format("asyncpg") + "?ssl=require", options="{}"),
            "asyncpg",
            {"sslmode": "require"},
        ),
        (
            ASYNC.format(url=URL.format("asyncpg"), options='{"connect_args": {"ssl": True}}'),
            "asyncpg",
            {"sslmode": "require"},
        ),
        (
            ASYNC.format(url=URL.format("asyncpg"), options=CONTEXT.format("CERT_NONE")),
            "asyncpg",
            {"sslmode": "require"},
        ),
        (ASYNC.format(url=URL.format("psycopg"), options="{}"), "psycopg", {}),
    ],
)
def test_what_env_py_would_connect_to(
    tmp_path: Path, env: str, driver: str, more: dict[str, str]
) -> None:
    """Whatever the driver, and whatever env.py does about a failure."""
    assert asked(tmp_path, env) == ({**LOGIN, **more}, driver)


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ("pass", "does not connect by itself"),
        ("import os; os.environ['NO_SUCH_NAME']", "NO_SUCH_NAME is not set"),
        ("{}['formatters']", "there is no 'formatters'. Fix that. Nothing was changed."),
        ("import no_such_package", "no_such_package"),
        (sync("sqlite://"), "connects to sqlite"),
        (
            ASYNC.format(url="postgresql+psycopg2://u:secret-p@h/d", options="{}"),
            "Write postgresql+asyncpg://",
        ),
        (sync("driver://u:secret-p@h/d"), "sqlalchemy.dialects:driver. Set DATABASE_URL"),
        (
            ASYNC.format(url=URL.format("asyncpg"), options=CONTEXT.format("CERT_REQUIRED")),
            "sslmode=verify-full",
        ),
    ],
)
def test_an_env_py_without_one(tmp_path: Path, env: str, said: str) -> None:
    """No URL anywhere is a wrong configuration: 2."""
    with pytest.raises(BootError) as caught:
        asked(tmp_path, env)
    assert isinstance(caught.value, ConfigurationError)
    assert said in str(caught.value)
    assert str(caught.value).startswith("No database") is (env == "pass")
    assert "secret-p" not in str(caught.value)


FROM_INI = """
from alembic import context
from sqlalchemy import {engine}
{engine}({config})
"""
SECTION = "context.config.get_section(context.config.config_ini_section, {})"


@pytest.mark.parametrize(
    "env",
    [
        FROM_INI.format(engine="engine_from_config", config=SECTION),
        FROM_INI.format(engine="engine_from_config", config="{}, prefix='db.'"),
        FROM_INI.format(engine="engine_from_config", config=SECTION)
        .replace("sqlalchemy import engine", "sqlalchemy.ext.asyncio import async_engine")
        .replace("\nengine", "\nasync_engine"),
        FROM_INI.format(
            engine="create_engine",
            config="context.config.file_config.get('alembic', 'sqlalchemy.url')",
        ),
    ],
)
def test_no_url_anywhere(tmp_path: Path, env: str) -> None:
    """The advice says what to set, and not that env.py has to be fixed."""
    with pytest.raises(ConfigurationError) as caught:
        asked(tmp_path, env)
    assert str(caught.value) == (
        "No database is configured: neither --url nor DATABASE_URL is given. "
        "env.py finds no URL either, such as sqlalchemy.url of alembic.ini. Set "
        "DATABASE_URL=postgresql://user:password@host:5432/database. Nothing was changed."
    )


@pytest.mark.parametrize(
    "line",
    [
        "import os; os.environ['DATABASE_URL']",
        "raise RuntimeError('no database_url')",
        "from sqlalchemy import create_engine; create_engine(None)",
        "from sqlalchemy import create_engine; create_engine('')",
    ],
)
def test_an_env_py_that_misses_the_url(
    tmp_path: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own words name the place; what to set is the same."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(ConfigurationError, match=r"env\.py, line 1: .*Set DATABASE_URL=postgres"):
        asked(tmp_path, line)


CREATOR = """
import psycopg2
from alembic import context
from sqlalchemy import create_engine
engine = create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect({url!r}))
with engine.connect() as connection:
    context.configure(connection=connection)
    context.run_migrations()
engine.dispose()
"""


def test_an_engine_that_tells_no_url(tmp_path: Path, database_url: str) -> None:
    """Its `creator` connects, and SQLAlchemy knows of no login."""
    with pytest.raises(ConfigurationError, match=r"creator.* Set DATABASE_URL="):
        asked(tmp_path, CREATOR.format(url=database_url))


@pytest.mark.filterwarnings("ignore:coroutine 'main' was never awaited:RuntimeWarning")
def test_an_env_py_in_a_running_event_loop(tmp_path: Path) -> None:
    """An async env.py calls asyncio.run(), which needs a thread without a loop."""

    async def ask() -> None:
        asked(tmp_path, ASYNC.format(url=URL.format("asyncpg"), options="{}"))

    with pytest.raises(ConfigurationError, match=r"asyncio\.to_thread"):
        asyncio.run(ask())
    gc.collect()  # Python warns here of env.py's coroutine, and not in a later test


@pytest.mark.parametrize(
    ("env", "is_async"),
    [
        (ASYNC.format(url="", options="{}"), True),
        ("from app import db\nengine = db.create_async_engine()", True),
        ("from sqlalchemy.ext.asyncio import AsyncEngine\nAsyncEngine(engine)", True),
        ("from sqlalchemy.ext.asyncio import AsyncEngine", False),
        ("# sqlalchemy.ext.asyncio has create_async_engine", False),
        ("def", False),
    ],
)
def test_which_env_py_gets_an_async_driver(tmp_path: Path, env: str, *, is_async: bool) -> None:
    """Only one that makes an async engine; its URL names no driver."""
    file = tmp_path / "env.py"
    file.write_text(env)
    url = url_for(file, parse_database_url("postgresql://h/d"))
    assert url.startswith("postgresql+asyncpg" if is_async else "postgresql+psycopg2")
