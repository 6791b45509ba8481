"""Make the imports of a start fast, in a command's own process.

Importing creates hundreds of thousands of objects, which stay. Python checks all of them again and
again for garbage: a third of the time to import Alembic. Mako, by which Alembic writes new
revisions, imports Pygments if that is installed, to colour error pages.
"""

import gc
import sys
from typing import Any

_SELDOM = 100_000
"""New objects between two garbage collections; Python's default is 700."""

_USUAL = gc.get_threshold()

_COLOURS = "mako.ext.pygmentplugin"

_modules: dict[str, Any] = sys.modules


def import_quickly() -> None:
    """Collect garbage seldom, and skip imports that only error pages need."""
    gc.set_threshold(_SELDOM)
    _modules.setdefault(_COLOURS, None)  # an import of it raises ImportError now


def keep_objects() -> None:
    """Exclude existing objects from every later garbage collection, also that at the very end."""
    gc.freeze()


def import_as_usual() -> None:
    """Collect garbage at Python's own rate, and only among new objects."""
    keep_objects()
    gc.set_threshold(*_USUAL)
    if _modules.get(_COLOURS, sys) is None:
        del _modules[_COLOURS]
