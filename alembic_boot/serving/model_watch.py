"""Compare models and schema while serving; report not ready while they differ."""

import json
import logging
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alembic_boot.commands import as_typed
from alembic_boot.description import BootDescription
from alembic_boot.serving.handover import hand_over, handed_over

_MODULE = "alembic_boot.checking.comparison"

_CALM = 1.0
"""Seconds after the start: the first requests have priority."""

_PAUSES = (5.0, 30.0)
"""Seconds before the next comparison, until they agree: doubled each time, up to the second."""

_LONGEST = 120.0
"""Seconds that a comparison may take."""

_NAMED = 3
"""Differences that readiness lists."""

_SHOWN, _LONGEST_SHOWN = 50, 300
"""Differences that the status page lists, and the characters of one."""

_REVISION = 'revision --message "what changed"'

comparison_is_due = threading.Event()
"""When this is set, the models of this process are compared with the schema at once."""

_log = logging.getLogger(__name__)


def reason(differences: Sequence[str]) -> str | None:
    """Return why requests may fail; None if nothing differs."""
    if not differences:
        return None
    rest = len(differences) - _NAMED
    named = "; ".join(differences[:_NAMED]) + (f"; and {rest} more, in the log" if rest > 0 else "")
    return (
        f"The models and the schema differ: {named}. Write the revision that is missing: "
        f"`{as_typed(_REVISION, is_public=True)}`. The next start applies it."
    )


class ModelWatch:
    """Compares the models with the schema again and again, until they agree.

    `comparison_is_due` starts a comparison at once, for example after a migration.

    Each comparison runs in a process of its own, so it uses the models on the disk.
    """

    def __init__(self, boot: BootDescription) -> None:
        self._boot = boot
        self._has_ended = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._known: frozenset[str] = frozenset()
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._watch, name="model-watch", daemon=True)

    def start(self) -> None:
        """Begin in another thread, after a short time."""
        self._thread.start()

    def stop(self) -> None:
        """End the comparison that may be running."""
        self._has_ended.set()
        comparison_is_due.set()
        if (process := self._process) is not None:
            process.kill()
        self._thread.join()

    def _watch(self) -> None:
        pause, longest = _PAUSES
        wait, differ = _CALM, True
        while differ:
            comparison_is_due.wait(wait)
            comparison_is_due.clear()
            if self._has_ended.is_set():
                return
            found = self._compare()
            differ = not self._has_ended.is_set() and self._tell(found)
            wait, pause = pause, min(2 * pause, longest)

    def _tell(self, found: dict[str, Any]) -> bool:
        """Log a new result, and pass it to readiness; return whether to compare again."""
        if (failure := found["failure"]) is not None:
            if failure != self._failure:
                _log.warning("The models could not be compared with the schema: %s", failure)
            self._failure = failure
        if failure is not None or not found["is_at_head"]:
            # Known differences remain until a comparison succeeds.
            return True
        differences, beyond = found["differences"], found["beyond"]
        for text in [it for it in differences if it not in self._known]:
            line = "The models and the schema differ: %s. Write the revision: `%s`"
            _log.warning(line, text, as_typed(_REVISION))
        for text in [it for it in beyond if it not in self._known]:
            _log.info("The models and the schema differ: %s. No request needs what differs", text)
        if handed_over(self._boot).get("differences") is not None and not differences:
            _log.info("The models and the schema agree")
        self._known = frozenset([*differences, *beyond])
        hand_over(
            self._boot,
            differences=reason(differences),
            all_differences=[it[:_LONGEST_SHOWN] for it in (*differences, *beyond)][:_SHOWN],
            differing=found["tables"][:_SHOWN],
            compared_at=found["current"],
        )
        return bool(differences)

    def _compare(self) -> dict[str, Any]:
        """Return the result of a comparison in a process of its own."""
        paths = os.pathsep.join(str(Path(it).absolute()) for it in sys.path)
        try:
            self._process = subprocess.Popen(  # noqa: S603 (this interpreter, a module of our own)
                [sys.executable, "-m", _MODULE],
                env={**os.environ, "PYTHONPATH": paths},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            return {"failure": f"no process could be started: {error.strerror}."}
        with self._process as process:
            if self._has_ended.is_set():
                process.kill()
            try:
                answer, _ = process.communicate(pickle.dumps(self._boot), _LONGEST)
            except subprocess.TimeoutExpired:
                process.kill()
                return {"failure": f"it took more than {_LONGEST:g} s."}
        try:
            found: dict[str, Any] = json.loads(answer)
        except ValueError:  # it was killed, or could not start
            return {"failure": f"the process ended with status {process.returncode}."}
        return found
