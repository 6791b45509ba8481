"""Names of variables that look like a setting of `alembic-boot` and are none."""

import re
from collections.abc import Mapping

from alembic_boot.commands import PREFIX
from alembic_boot.own_variables import VARIABLES
from alembic_boot.variables import is_service_link

_OF_A_SERVICE = re.compile(
    r"\w+(_SERVICE_HOST|_SERVICE_PORT(_\w+)?|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
"""The names that Kubernetes makes for a Service, besides the service link."""


def misspelt_names(environ: Mapping[str, str | None]) -> tuple[tuple[str, str], ...]:
    """Return each name with the setting that is nearest to it; an empty text if none is near.

    An empty value sets nothing, and Kubernetes sets others for a Service `alembic-boot`.
    """
    unknown = [
        name
        for name, text in environ.items()
        if text
        and name.startswith(PREFIX)
        and name not in VARIABLES
        and not (_OF_A_SERVICE.fullmatch(name) or is_service_link(name, text))
    ]
    if not unknown:
        return ()
    from difflib import get_close_matches

    ends = {name.removeprefix(PREFIX): name for name in VARIABLES}
    near = {name: get_close_matches(name.removeprefix(PREFIX), ends, n=1) for name in unknown}
    return tuple((name, ends[found[0]] if found else "") for name, found in near.items())
