"""The variables of each task. A task reads no others, so a wrong value elsewhere never stops it."""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from backend.variables import VARIABLES_OF, Use

EVERYTHING = frozenset(Use)

_LOOK = {Use.LOG, Use.DATABASE, Use.HISTORY, Use.TARGET}
_REPLAY = {Use.LOG, Use.DATABASE, Use.WAIT, Use.HISTORY, Use.LOCK, Use.SCRATCH}

USES: Mapping[str, frozenset[Use]] = MappingProxyType(
    {
        "wait-db": frozenset({Use.LOG, Use.DATABASE, Use.WAIT}),
        "status": frozenset(_LOOK),
        "preview": frozenset({*_LOOK, Use.WAIT}),
        "migrate": frozenset({*_REPLAY, Use.TARGET}),
        "rollback": frozenset({*_REPLAY, Use.TARGET}),
        "adopt": frozenset({*_REPLAY, Use.TARGET}),
        "stamp": frozenset({*_LOOK, Use.WAIT, Use.LOCK}),
        "revision": frozenset(_REPLAY),
        "merge": frozenset({Use.LOG, Use.DATABASE, Use.HISTORY}),
        "check": frozenset({*_REPLAY, Use.TARGET}),
        "seed": frozenset({*_LOOK, Use.WAIT, Use.LOCK, Use.SEED}),
        "serve": frozenset({*_LOOK, Use.SERVE}),
        "start": EVERYTHING,
    }
)
"""The uses of each task that needs the database; `preview` is every `--dry-run`, and `--sql`."""


def used_variables(uses: Collection[Use]) -> frozenset[str]:
    """Return the names of the variables with one of these uses."""
    return frozenset(name for use in uses for name in VARIABLES_OF[use])
