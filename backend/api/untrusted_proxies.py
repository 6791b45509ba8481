"""A warning to the operator: the service runs behind a proxy that it does not trust."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

_log = logging.getLogger(__name__)


@dataclass
class UntrustedProxies:
    """Warns once if a proxy names clients, but the proxy's own address counts for all of them.

    `is_watched` tells whether the warning is useful.
    """

    is_watched: bool

    def note(self, peer: str | None, forwarded: Sequence[str]) -> None:
        """Check a request: its peer address according to the server, and its X-Forwarded-For."""
        if self.is_watched and is_ignored(peer, forwarded):
            self.is_watched = False
            _log.warning(
                "X-Forwarded-For came from an address that FORWARDED_ALLOW_IPS does not name, so "
                "the limits of attempts take all its clients for one. If it is your proxy, name it"
            )


def is_ignored(peer: str | None, forwarded: Sequence[str]) -> bool:
    """Return whether the server ignored X-Forwarded-For.

    If the server trusts the proxy, the peer address is one of the addresses in the header.
    """
    return bool(forwarded) and not any((peer or "unknown") in it for it in forwarded)
