"""The parts of Uvicorn without a public counterpart, each in one place.

Checked with Uvicorn 0.50 and 0.54. If a release renames a private name, this file changes alone.
Our connection also uses names that have no underscore, but are not documented either:

- `H11Protocol`: `conn`, `cycle`, `flow`, `loop`, `server_state`, `transport`, `handle_events`,
  `on_response_complete`
- `RequestResponseCycle`: `disconnected`, `keep_alive`, `message_event`, `more_body`,
  `response_complete`, `response_started`
- `FlowControl`: `read_paused`, `resume_reading`
"""

from uvicorn import Server
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.supervisors import multiprocess


class PlainProtocol(H11Protocol):
    """Uvicorn's protocol, which answers every request as HTTP/1.1 (RFC 9110, 7.8).

    For an upgrade to WebSockets, Uvicorn would log the advice to install a library.
    """

    def _should_upgrade(self) -> bool:
        return False


def stop_signals(server: Server) -> list[int]:
    """Return the signals that the server has received, which it raises again at its end."""
    return server._captured_signals


def work_with(worker: type[multiprocess.Process]) -> None:
    """Let Uvicorn make workers of this class, which it creates by its name in its own module."""
    multiprocess.Process = worker  # type: ignore[misc]
