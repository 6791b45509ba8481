"""Make the imports of a start quick.

Importing makes objects by the hundred thousand, and they stay. Python goes through all of them
again and again in search of garbage: a third of what it takes to import Alembic. Mako, by which
Alembic writes new revisions, imports Pygments if that is installed, to colour error pages.
"""

import gc
import sys
from typing import Any

_SELDOM = 100_000
"""New objects between two searches for garbage; Python's own number is 700."""

_USUAL = gc.get_threshold()

_COLOURS = "mako.ext.pygmentplugin"

_modules: dict[str, Any] = sys.modules


def import_quickly() -> None:
    """Search for garbage seldom, and leave out what is imported for error pages alone."""
    gc.set_threshold(_SELDOM)
    _modules.setdefault(_COLOURS, None)  # an import of it raises ImportError now


def keep_imported() -> None:
    """Leave what is there out of every search for garbage from here on, as it stays anyway."""
    gc.freeze()


def import_as_usual() -> None:
    """Search for garbage as often as Python does, and only among what is made from here on."""
    gc.freeze()
    gc.set_threshold(*_USUAL)
    if _modules.get(_COLOURS, sys) is None:
        del _modules[_COLOURS]


def leave_for_good() -> None:
    """Spare the end of the process its own search: what it has goes with it."""
    gc.freeze()
