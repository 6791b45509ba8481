"""The SQL of one revision, rendered in a process of its own.

`python -m alembic_boot.status_page.sql` reads a pickled description and an id from its stdin, and
prints the SQL. So the side effects of env.py and of the revision do not affect the service.
"""

import os
import pickle
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from alembic_boot.description import BootDescription

_LONGEST = 30.0
"""Seconds that rendering may take."""

_PATIENCE = 3.0
"""Seconds that a caller waits for it; the next one finds what it has rendered since."""

_KEPT = 50
"""Revisions whose SQL is kept."""

_NICENESS = 5


@dataclass
class RevisionSql:
    """Renders each revision once, as long as its file stays the same, and one at a time.

    Not thread-safe.
    """

    boot: BootDescription
    patience: float = _PATIENCE
    _thread: threading.Thread | None = None
    _known: dict[tuple[str, str | None], str | None] = field(default_factory=dict)

    def __call__(self, revision: str, sha256: str | None) -> str | None:
        """Return the SQL of an upgrade; None if it is not there yet, or needs a database."""
        key = revision, sha256
        is_idle = self._thread is None or not self._thread.is_alive()
        if key not in self._known and is_idle:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._thread = threading.Thread(target=self._render, args=key, daemon=True)
            self._thread.start()
            self._thread.join(self.patience)
        return self._known.get(key)

    def _render(self, revision: str, sha256: str | None) -> None:
        paths = os.pathsep.join(str(Path(it).absolute()) for it in sys.path)
        try:
            done = subprocess.run(  # noqa: S603 (this interpreter, a module of our own)
                [sys.executable, "-m", __name__],
                env={**os.environ, "PYTHONPATH": paths},
                input=pickle.dumps((self.boot, revision)),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_LONGEST,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):  # the next caller tries again
            return
        text = done.stdout.decode(errors="replace") if done.returncode == 0 else None
        self._known[revision, sha256] = text


def _main() -> None:
    os.nice(_NICENESS)
    # An env.py may print.
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    boot, revision = pickle.load(sys.stdin.buffer)  # noqa: S301 (from our own process)
    from alembic_boot.errors import BootError
    from alembic_boot.migration.render import render_revision

    with answer:
        try:
            answer.write(render_revision(boot, revision))
        except BootError:
            sys.exit(1)


if __name__ == "__main__":
    _main()
