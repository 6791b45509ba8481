"""Import the modules for serving while the process waits for the database."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

_log = logging.getLogger(__name__)


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
