"""The order in which services start: each after its dependencies."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from alembic_boot.errors import ConfigurationError


def start_order(dependencies: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the services, dependencies first. Raises ConfigurationError for a circle."""
    sorter = TopologicalSorter({name: sorted(dependencies[name]) for name in sorted(dependencies)})
    try:
        return list(sorter.static_order())
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise ConfigurationError(
            f"The services wait for each other in a circle: {circle}.",
            "Take one of these out of its depends_on.",
        ) from error
