"""Listen to events of SQLAlchemy while a block runs."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import event


@contextmanager
def listening(target: Any, **listeners: Callable[..., Any]) -> Iterator[None]:
    """Call each listener at the target's event of that name."""
    with ExitStack() as ending:
        for name, listener in listeners.items():
            event.listen(target, name, listener)
            ending.callback(event.remove, target, name, listener)
        yield
