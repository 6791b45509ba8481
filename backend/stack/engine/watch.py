"""Wait for containers by the engine's events: no change is missed, and there is no polling."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from time import monotonic

from docker import DockerClient
from docker.errors import NotFound

from alembic_boot.commands import as_typed
from alembic_boot.errors import EngineError
from alembic_boot.output.progress import said_meanwhile
from backend.stack.compose.model import Condition
from backend.stack.engine import labels
from backend.stack.engine.boot_stages import tell_boots
from backend.stack.engine.containers import Member
from backend.stack.engine.first_password import compare_with_volume
from backend.stack.engine.health import State, Verdict, judge, read_state

logger = logging.getLogger(__name__)

_EVENTS = ["start", "die", "health_status", "pause", "unpause", "destroy"]
_TELL = 1.0
"""Seconds between two questions what a boot does."""

_TAIL = 20
"""Lines of a failed container's log to show."""


class ContainerFailedError(EngineError):
    """A container did not come up; the container stays, so that its log can be read."""


class Watch:
    """Waits for containers, and logs their changes; one watch serves a whole run."""

    def __init__(self, client: DockerClient, project: str) -> None:
        self._client = client
        self._project = project
        self._began = monotonic()
        self._seen: dict[Member, str] = {}
        self._exits: dict[str, int] = {}
        """Exit statuses of containers; a restart hides the status in the container's state."""

    def wait(self, conditions: Mapping[Member, Condition]) -> None:
        """Wait until each container meets its condition.

        Raises ContainerFailedError as soon as a container no longer can. Its healthcheck decides
        how long a container may take to become healthy.
        """
        waiting = {
            it: (condition, read_state(it.container.attrs).restarts)
            for it, condition in conditions.items()
        }
        # From before the first inspection, so that no change is lost between it and the first
        # event.
        since = datetime.fromisoformat(self._client.info()["SystemTime"][:19] + "+00:00")
        if self._all_met(waiting):
            return
        filters = {
            "type": "container",
            "event": _EVENTS,
            "label": f"{labels.PROJECT}={self._project}",
        }
        with (
            closing(self._client.events(since=since, filters=filters, decode=True)) as events,
            said_meanwhile(partial(tell_boots, waiting, {}), every=_TELL),
        ):
            for event in events:
                if event["Action"] == "die":
                    self._exits[event["Actor"]["ID"]] = int(
                        event["Actor"]["Attributes"]["exitCode"]
                    )
                if self._all_met(waiting):
                    return
        raise EngineError("The container engine stopped.", "Start it, and try again.")

    def _all_met(self, waiting: dict[Member, tuple[Condition, int]]) -> bool:
        """Inspect every container in the list, and remove those that meet their condition."""
        for member, (condition, restarts_before) in list(waiting.items()):
            state = self._current_state(member)
            self._log(member, state)
            verdict, how = judge(state, condition, restarts_before)
            if verdict is Verdict.FAILED:
                raise failure(member, how)
            if verdict is Verdict.MET:
                del waiting[member]
        return not waiting

    def _current_state(self, member: Member) -> State:
        try:
            member.container.reload()
        except NotFound:
            raise ContainerFailedError(
                f"{member.title} was removed while it was waited for.", "Start it again: `make up`."
            ) from None
        state = read_state(member.container.attrs)
        if state.status != "running":
            return state
        # After a restart the state no longer has the exit status, and the event with the status may
        # still be on its way. Until then the container counts as if it had not exited.
        exit_code = self._exits.get(str(member.container.id))
        if exit_code is None:
            return replace(state, restarts=0)
        return replace(state, exit_code=exit_code)

    def _log(self, member: Member, state: State) -> None:
        if self._seen.get(member) != str(state):
            self._seen[member] = str(state)
            logger.info("%s is %s (%.1f s)", member.title, state, monotonic() - self._began)


def failure(member: Member, how: str) -> ContainerFailedError:
    """Return the error for a failed container, after logging the last lines of its log."""
    tail: bytes = member.container.logs(tail=_TAIL)
    log_tail(member.title, tail.decode(errors="replace").splitlines())
    if difference := compare_with_volume(member):
        return ContainerFailedError(
            f"{member.title} is not healthy. {difference.what}.", difference.advice
        )
    return ContainerFailedError(
        f"{member.title} {how}.",
        f"Its last lines are above, and `{as_typed('logs')}` has them all; fix it and run "
        "`make up` again.",
    )


def log_tail(title: str, lines: Sequence[str]) -> None:
    """Log the last lines of a failed container or build."""
    for line in lines:
        logger.info("%s | %s", title, line)
