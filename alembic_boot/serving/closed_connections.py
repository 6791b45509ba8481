"""Count the connections that this process has closed by itself, for the metrics."""

from collections import Counter

TOO_SLOW, NO_ROOM = "too slow", "no room"

closed: Counter[str] = Counter({TOO_SLOW: 0, NO_ROOM: 0})
"""By reason: the client kept the server waiting too long, or others needed the place."""
