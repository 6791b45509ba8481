"""The answer to a probe. Nothing is imported for it, so it can also say what is missing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Readiness:
    """The answer to a probe. It is public, so it contains no host, user, file or role."""

    ready: bool
    state: str | None = None
    """None if the schema was not looked at."""
    current: tuple[str, ...] = ()
    target: str | None = None
    reason: str | None = None
    """The problem and its remedy; when ready, why some requests fail all the same."""
    cause: str | None = None
    """Details for the log only, with all names; None if the reason says everything."""
    command: str | None = None
    """The command that helps, for the status page only: it may name files."""

    @property
    def status(self) -> str:
        """Return `ready`, `degraded` or `unavailable`."""
        if not self.ready:
            return "unavailable"
        return "degraded" if self.reason else "ready"
