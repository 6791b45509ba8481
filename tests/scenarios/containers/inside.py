"""One container: what runs in it, and how it ends."""

from dataclasses import dataclass
from datetime import UTC, datetime

from docker.models.containers import Container

SOON = 5.0
"""Seconds that stopping may take on a busy machine: half of what `docker stop` gives by itself."""


@dataclass(frozen=True)
class Stopped:
    """How a container ended that was told to stop."""

    status: int
    seconds: float


def stop(container: Container) -> Stopped:
    """Stop a container as `docker stop` does, with all of its grace period."""
    told = datetime.now(UTC)
    container.stop(timeout=30)
    container.reload()
    state = container.attrs["State"]
    ended = datetime.fromisoformat(f"{state['FinishedAt'][:26]}+00:00")
    return Stopped(state["ExitCode"], (ended - told).total_seconds())


def output_of(container: Container, *command: str, **variables: str) -> str:
    """Return what a program says that is run in a container, and has to end well."""
    status, output = container.exec_run(list(command), environment=variables)
    assert isinstance(output, bytes)
    assert status == 0, output
    return output.decode()
