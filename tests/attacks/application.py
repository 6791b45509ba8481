"""The real application, started as `inv serve` does, inside a limit of memory."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.attacks.memory import MEGABYTE, Limit, limited, peak
from tests.scenarios.process import Running, running

LIMIT = 512
"""Megabytes: what a small container has."""

SECRET = "a long text that signs the tokens of attacks"


@dataclass(frozen=True)
class Application:
    """A running application."""

    port: int
    database_url: str
    process: Running
    limit: Limit

    @property
    def is_alive(self) -> bool:
        """Whether the process runs: nothing has killed it, and it has not ended by itself."""
        return self.process.is_alive

    @property
    def peak(self) -> float:
        """The most memory that the process has had, in megabytes; all of the limit if killed."""
        return (peak(self.process.pid) if self.is_alive else self.limit.size) / MEGABYTE


@contextmanager
def attacked(
    root: Path,
    database_url: str,
    megabytes: int = LIMIT,
    descriptors: int | None = None,
    **variables: str,
) -> Iterator[Application]:
    """Serve a migrated database as production does; give the application when it has started.

    `root` is a folder where `inv` works, `descriptors` the hard limit of open files, `variables`
    are more settings.
    """
    settings = {
        "APP_ENV": "prod",
        "JWT_SECRET": SECRET,
        "DATABASE_URL": database_url,
        "BACKEND_PORT": "0",
        **variables,
    }
    few = ("/bin/sh", "-c", f'ulimit -n {descriptors} && exec "$0" "$@"') if descriptors else ()
    with (
        limited(megabytes * MEGABYTE) as limit,
        running(root, "serve", before=[*limit.prefix, *few], **settings) as process,
        limit.watched(process.pid),
    ):
        port = urlsplit(process.url).port
        assert port is not None
        process.wait_for("Serving on …")
        yield Application(port, database_url, process, limit)


Attack = Callable[..., AbstractContextManager[Application]]
