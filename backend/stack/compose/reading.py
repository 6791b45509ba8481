"""Read a project from its Compose files: read, interpolate, merge, validate."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from alembic_boot.errors import ConfigurationError
from backend.stack.compose.documents import prepared
from backend.stack.compose.loading import Document
from backend.stack.compose.merging import merge
from backend.stack.compose.model import ComposeFile
from backend.stack.compose.order import start_order
from backend.stack.compose.project import Place, Project, find_stack, read_variables


def read_place(folder: Path, environ: Mapping[str, str] | None = None) -> Place:
    """Return the stack of a folder without reading its Compose files. Raises ConfigurationError.

    Labels describe the running containers. So a broken file or a missing variable cannot prevent a
    person from stopping them.
    """
    return find_stack(folder, read_variables(folder, environ))[0]


def read_project(folder: Path, environ: Mapping[str, str] | None = None) -> Project:
    """Return the project of a folder. Raises ConfigurationError with key, file and line."""
    variables = read_variables(folder, environ)
    place, files = find_stack(folder, variables)
    if place.folder != folder.absolute():
        variables = {**read_variables(place.folder, environ), **variables}
    documents = [prepared(path, variables) for path in files]
    try:
        content = ComposeFile.model_validate(merge(documents))
    except ValidationError as error:
        raise _refusal(error, documents) from None  # the error's own text would show values
    project = Project(place, files, content, variables)
    for name, complaint, advice in _complaints(project):
        line = _last_place(documents, ["services", name])
        raise ConfigurationError(f"services.{name} {complaint} ({line}).", advice)
    start_order({name: service.depends_on for name, service in project.services.items()})
    return project


def _refusal(error: ValidationError, documents: Sequence[Document]) -> ConfigurationError:
    """Return the models' first complaint as a sentence with its place."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = [str(step) for step in first["loc"]]
    having = [it for it in documents if _has(it.content, where[: 3 if len(where) > 2 else None])]
    # Items of a merged list have new indexes: only with a single file are they unchanged.
    document = (having or documents)[-1]
    key = ".".join(where)
    place = document.place(where if len(having) < 2 else where[:3])
    if first["type"] == "extra_forbidden":
        return ConfigurationError(
            f"{document.name} has {key}, a key that is not supported here "
            f"({place.removeprefix(document.name).lstrip(', ')}).",
            "Take it out, or run the stack with `docker compose up`.",
        )
    reason = first["msg"].removeprefix("Value error, ")
    return ConfigurationError(f"{key} in {place}: {reason}.", "Correct it.")


def _has(document: Any, where: Sequence[str]) -> bool:
    for step in where:
        if isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        elif isinstance(document, dict) and step in document:
            document = document[step]
        else:
            return False
    return True


def _last_place(documents: Sequence[Document], where: Sequence[str]) -> str:
    return [it for it in documents if _has(it.content, where)][-1].place(where)


def _complaints(project: Project) -> Iterator[tuple[str, str, str]]:
    """Yield problems that the models cannot find, by service: undefined names."""
    content = project.content
    for name, service in project.services.items():
        if service.image is None and service.build is None:
            yield name, "has neither image nor build", "Give it one of them."
        used: list[tuple[str, Iterable[str], Container[str]]] = [
            ("service", service.depends_on, project.services),
            ("network", service.networks, {"default": None, **content.networks}),
            (
                "volume",
                [mount.source for mount in service.volumes if mount.type == "volume"],
                content.volumes,
            ),
            ("secret", [use.source for use in service.secrets], content.secrets),
        ]
        for kind, wanted, known in used:
            for missing in (it for it in wanted if it not in known):
                yield (
                    name,
                    f"names the {kind} {missing}, which does not exist",
                    f"Describe it under {kind}s, or correct the name.",
                )
