"""The models that env.py names, and the error if it names none."""

from typing import Any

from alembic.runtime.migration import MigrationContext

from alembic_boot.environment.project import Project
from alembic_boot.errors import ConfigurationError

NO_MODELS = "env.py names no target_metadata: there are no models to compare with"


def refuse_no_models(project: Project) -> None:
    """Raise ConfigurationError if env.py names no models."""
    found: list[Any] = []

    def look(context: MigrationContext, _arguments: object) -> None:
        found.append(context.opts["target_metadata"])

    project.run(look, dont_mutate=True)
    if any(it is None for it in found):
        raise ConfigurationError(
            f"{NO_MODELS}.",
            "Pass that of the models to context.configure(), or write the revision by hand "
            "in a new file of the versions folder.",
        )
