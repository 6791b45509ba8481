"""The logins of an env.py with settings of its own are led to the scratch database."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from alembic_boot.environment.logins import keywords, led
from alembic_boot.own_work import own_call
from alembic_boot.postgres.urls import parse_database_url
from tests.cluster import Cluster

WHERE = text("SELECT current_database()")


def asked(engine: Any) -> str:
    """Return the database that an application reaches."""
    with engine.connect() as connection:
        return str(connection.scalar(WHERE))


def asked_by_us(engine: Any) -> str:
    """Return the database that env.py reaches."""
    with own_call():
        return asked(engine)


async def asked_async(engine: Any) -> str:
    async with engine.connect() as connection:
        return str(await connection.scalar(WHERE))


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_a_login_is_led_and_let_go(cluster: Cluster, database: str, driver: str) -> None:
    """Also by an engine whose pool has a connection; afterwards the engine is as it was."""
    with cluster.database() as scratch, cluster.database() as other:
        real = parse_database_url(cluster.url(database))
        engine = create_engine(real.for_driver(driver))
        elsewhere = create_engine(parse_database_url(cluster.url(other)).for_driver(driver))
        assert asked(engine) == database
        with led((real,), parse_database_url(cluster.url(scratch))):
            there = [asked_by_us(it) for it in (engine, engine, elsewhere)]
            assert there == [scratch, scratch, other]
        assert asked(engine) == database
        engine.dispose()
        elsewhere.dispose()


def test_an_application_goes_on(cluster: Cluster, database: str) -> None:
    """A thread that was there before keeps the real database, also with the same engine."""
    real = parse_database_url(cluster.url(database))
    engine = create_engine(real.for_driver("psycopg2"))
    with ThreadPoolExecutor(1) as application, cluster.database() as scratch:
        assert application.submit(asked, engine).result() == database
        with led((real,), parse_database_url(cluster.url(scratch))):
            there = [
                (asked_by_us(engine), application.submit(asked, engine).result()) for _ in range(3)
            ]
        assert there == [(scratch, database)] * 3
        assert asked(engine) == database
    engine.dispose()


def in_new_thread(engine: Any) -> str:
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asked, engine).result()


def test_threads_that_begin_meanwhile(cluster: Cluster, database: str) -> None:
    """One of an application keeps the real database; one that env.py starts is led."""
    real = parse_database_url(cluster.url(database))
    engine = create_engine(real.for_driver("psycopg2"))
    with ThreadPoolExecutor(1) as application, cluster.database() as scratch:
        assert application.submit(asked, engine).result() == database
        with own_call(), led((real,), parse_database_url(cluster.url(scratch))):
            there = [
                (
                    asyncio.run(asyncio.to_thread(asked, engine)),
                    in_new_thread(engine),
                    application.submit(in_new_thread, engine).result(),
                )
                for _ in range(2)
            ]
        assert there == [(scratch, scratch, database)] * 2
    engine.dispose()


def test_asyncpg(cluster: Cluster, database: str) -> None:
    """It has words of its own for the parts of a login."""

    async def ask() -> tuple[str, str]:
        with cluster.database() as scratch:
            engine = create_async_engine(real.for_driver("asyncpg"))
            with own_call(), led((real,), parse_database_url(cluster.url(scratch))):
                there = await asked_async(engine)
            back = await asked_async(engine)
            await engine.dispose()
            return "scratch" if there == scratch else there, back

    real = parse_database_url(cluster.url(database))
    assert asyncio.run(ask()) == ("scratch", database)


def test_another_user_and_another_name_of_the_host(cluster: Cluster, database: str) -> None:
    """The place decides, not the user: the scratch database may belong to another role."""
    real = parse_database_url(cluster.url(database))
    mistaken = real.having(host="localhost", user="nobody", password="wrong")
    engine = create_engine(mistaken.for_driver("psycopg2"))
    with cluster.database() as scratch, led((real,), parse_database_url(cluster.url(scratch))):
        assert asked_by_us(engine) == scratch
    with pytest.raises(DBAPIError):
        asked(engine)


@pytest.mark.parametrize(
    ("arguments", "parameters", "expected"),
    [
        ([], {"host": "h", "port": 1, "dbname": "d"}, {"host": "h", "port": "1", "dbname": "d"}),
        (
            [],
            {"database": "d", "ssl": object(), "statement_cache_size": 0},
            {"dbname": "d", "sslmode": "require"},
        ),
        ([], {"host": ["a", "b"], "port": [1, 2]}, {"host": "a,b", "port": "1,2"}),
        (["host=h dbname=d"], {"user": "u"}, {"host": "h", "dbname": "d", "user": "u"}),
        ([""], {}, {}),
        (["no dsn"], {}, None),
    ],
)
def test_words_of_libpq(
    arguments: list[str], parameters: dict[str, Any], expected: dict[str, str] | None
) -> None:
    """Each driver's words for a login mean the same."""
    assert keywords(arguments, parameters) == expected
