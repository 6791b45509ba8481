"""Python's search for garbage, which finds next to none while things are imported.

Importing makes objects by the hundred thousand, and they stay. Python goes through all of them
again and again in search of cycles, and once more when it ends: a third of what it takes to import
Alembic.
"""

import gc

_SELDOM = 100_000
"""New objects between two searches; Python's own number is 700."""

_USUAL = gc.get_threshold()


def search_seldom() -> None:
    """Look for garbage seldom from here on."""
    gc.set_threshold(_SELDOM)


def search_as_usual() -> None:
    """Look for garbage as often as Python does, and only among what is made from here on."""
    gc.freeze()
    gc.set_threshold(*_USUAL)


def leave_for_good() -> None:
    """Spare the end of the process its own search: what it has goes with it."""
    gc.freeze()
