"""The layers of a graph: how far each of its nodes is above the lowest ones."""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence


def layers(below: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return the length of each node's longest way down.

    Names that are no nodes do not count. A circle is opened at one of its nodes.
    """
    open_: dict[str, set[str]] = {}
    above: dict[str, list[str]] = defaultdict(list)
    for key, downs in below.items():
        open_[key] = {it for it in downs if it in below and it != key}
        for down in open_[key]:
            above[down].append(key)
    found: dict[str, int] = {}
    ready = deque(key for key, downs in open_.items() if not downs)
    while len(found) < len(below):
        if not ready:
            ready.append(
                min((it for it in open_ if it not in found), key=lambda it: len(open_[it]))
            )
        key = ready.popleft()
        if key in found:
            continue
        found[key] = 1 + max((found[it] for it in below[key] if it in found), default=-1)
        for up in above[key]:
            open_[up].discard(key)
            if not open_[up]:
                ready.append(up)
    return found
