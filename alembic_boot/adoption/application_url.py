"""Lead the application's own connections to a scratch database while a replay runs."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from alembic_boot.description import BootDescription
from alembic_boot.environment.logins import led
from alembic_boot.postgres.options import DRIVERS, OWN_DRIVER
from alembic_boot.postgres.urls import DatabaseUrl

_ALWAYS = "DATABASE_URL"
_IF_SET = "MIGRATION_DATABASE_URL"


@contextmanager
def pointed_at(boot: BootDescription, scratch: DatabaseUrl) -> Iterator[None]:
    """Let DATABASE_URL name the scratch database: an env.py or a revision may read it.

    A login that goes to the real database all the same, by settings of the project's own, is led to
    the scratch database.

    Import the revisions before, because what a module has read stays in it. What a revision imports
    later is imported again when it is needed, if it knows the scratch database.
    """
    before = {name: os.environ[name] for name in (_ALWAYS, _IF_SET) if name in os.environ}
    modules = set(sys.modules)
    os.environ.update({name: _like(before.get(name, ""), scratch) for name in {_ALWAYS, *before}})
    try:
        with led((boot.database_url, boot.migration_database_url), scratch):
            yield
    finally:
        os.environ.pop(_ALWAYS, None)
        os.environ.update(before)
        for name in sys.modules.keys() - modules:
            if _knows(sys.modules[name], scratch.database):
                _forget(name)


def _like(text: str, scratch: DatabaseUrl) -> str:
    """Return the URL for the driver that the text names; a plain one if it names none."""
    driver = text.partition("://")[0].partition("+")[2]
    if driver in DRIVERS:
        return scratch.for_driver(driver)
    return scratch.for_driver(OWN_DRIVER).replace(f"+{OWN_DRIVER}:", ":", 1)


def _knows(module: ModuleType, database: str) -> bool:
    """Return whether a value of a module, such as an engine or settings, names the database."""
    return any(database in _text(value) for value in list(vars(module).values()))


def _text(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 (foreign code: a value without text shows no name)
        return ""


def _forget(name: str) -> None:
    module = sys.modules.pop(name)
    package, _, own = name.rpartition(".")
    if getattr(sys.modules.get(package), own, None) is module:
        delattr(sys.modules[package], own)
