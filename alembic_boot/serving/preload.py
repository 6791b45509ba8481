"""Import what serving needs while there is nothing to do but wait for the database."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

_log = logging.getLogger(__name__)


@contextmanager
def importing(*modules: str) -> Iterator[Callable[[], None]]:
    """Import modules in another thread meanwhile; at the end of the block that is done.

    It gives what waits for that earlier, for who is to import something else. One that cannot be
    imported is left to whoever needs it, and fails there. The modules are libraries, whose import
    does nothing: it neither knows a database nor the thread it runs in.
    """

    def import_all() -> None:
        try:
            for module in modules:
                import_module(module)
        except Exception as error:  # noqa: BLE001 (it is raised again where it is imported again)
            _log.debug("Not imported ahead: %s: %s", type(error).__name__, error)

    # Not a daemon: to end an interpreter in the middle of a library's import may crash it.
    importer = threading.Thread(target=import_all, name="importer")
    importer.start()
    yield importer.join
    importer.join()
