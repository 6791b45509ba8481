"""The application before the schema is changed: looked for, its libraries imported, itself not.

Its own code may read the schema.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec
from pathlib import Path

from alembic_boot.commands import setting
from alembic_boot.errors import ServingFailedError
from alembic_boot.output.foreign import way_to_find

_log = logging.getLogger(__name__)


def require_application(name: str) -> None:
    """Raise ServingFailedError if no module is found for `module:attribute`.

    Only the import itself shows whether it works, and whether the attribute exists.
    """
    module, _, attribute = name.partition(":")
    names = module.split(".")
    if not all(names) or not attribute:
        raise not_loaded(name, "it is not written as module:attribute")
    if module not in sys.modules and not _is_there(names):
        advice = "Fix it," if _is_there(names[:1]) else f"{way_to_find('PYTHONPATH')} Else fix it,"
        raise not_loaded(name, f"there is no module {module}", advice)


def not_loaded(name: str, cause: str, advice: str = "Fix it,") -> ServingFailedError:
    """Return the error for an application that cannot be loaded, with this cause."""
    return ServingFailedError(
        f"The application {name} cannot be loaded: {cause}.",
        f"{advice} or name another in {setting('APP')}.",
    )


def _is_there(names: Sequence[str]) -> bool:
    """Return whether a module is found, package by package; `importlib.util` would import these."""
    places: Sequence[str] | None = None
    for depth in range(1, len(names) + 1):
        try:
            spec = _spec(".".join(names[:depth]), places)
        except KeyError:
            # For a folder without `__init__.py`, the finder would need the parent package to be
            # imported.
            return True
        if spec is None:
            return False
        if _says_where_itself(spec):
            return True
        places = spec.submodule_search_locations
        if places is None:
            return depth == len(names)
    return True


def _spec(name: str, places: Sequence[str] | None) -> ModuleSpec | None:
    found = (finder.find_spec(name, places) for finder in sys.meta_path)
    return next((spec for spec in found if spec is not None), None)


def _says_where_itself(package: ModuleSpec) -> bool:
    """Return whether a package may change where its modules are found; only an import shows it."""
    if package.submodule_search_locations is None or package.origin is None:
        return False
    source = Path(package.origin)
    return source.is_file() and b"__path__" in source.read_bytes()


@contextmanager
def importing(*modules: str) -> Iterator[Callable[[], None]]:
    """Import modules in another thread meanwhile; the end of the block waits for that.

    It yields a function that waits earlier, for code that imports other modules. A failed import is
    ignored here, and fails again where the module is needed. The modules are libraries without side
    effects: they use no database and do not depend on the thread.
    """

    def import_all() -> None:
        try:
            for module in modules:
                import_module(module)
        except Exception as error:  # noqa: BLE001 (it is raised again where it is imported again)
            _log.debug("Not imported ahead: %s: %s", type(error).__name__, error)

    # Not a daemon: ending an interpreter in the middle of a library's import may crash it.
    importer = threading.Thread(target=import_all, name="importer")
    importer.start()
    yield importer.join
    importer.join()
