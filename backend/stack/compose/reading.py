"""From Compose files on disk to a project: read, interpolate, merge, validate."""

import logging
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backend.boot.errors import ConfigurationError
from backend.stack.compose.documents import Document, merge, normalise, read_document
from backend.stack.compose.interpolation import InterpolationError, interpolate
from backend.stack.compose.model import ComposeFile
from backend.stack.compose.order import start_order
from backend.stack.compose.project import Place, Project, find_stack, read_variables

logger = logging.getLogger(__name__)


def read_place(folder: Path, environ: Mapping[str, str] | None = None) -> Place:
    """Return which stack a folder's is, whatever its Compose files say. Raises ConfigurationError.

    What runs is described by its labels: a file that is broken, or a variable that is missing,
    must not keep anybody from stopping it.
    """
    return find_stack(folder, read_variables(folder, environ))[0]


def read_project(folder: Path, environ: Mapping[str, str] | None = None) -> Project:
    """Return the project of a folder. Raises ConfigurationError, naming the key and the file."""
    variables = read_variables(folder, environ)
    place, files = find_stack(folder, variables)
    documents = [_read(path, variables) for path in files]
    try:
        content = ComposeFile.model_validate(reduce(merge, documents))
    except ValidationError as error:
        raise _refusal(error, files, documents) from None  # its text would show values
    project = Project(place, files, content)
    for complaint, advice in _complaints(project):
        raise ConfigurationError(complaint, advice)
    start_order({name: service.depends_on for name, service in project.services.items()})
    return project


def _read(path: Path, variables: Mapping[str, str]) -> Document:
    unset: set[str] = set()
    document = read_document(path)
    filled: Document = _filled(document, variables, unset, path.name, ())
    for name in sorted(unset):
        logger.warning("%s is not set; %s gets an empty text for it", name, path.name)
    return normalise(filled, variables)


def _filled(
    part: Any, variables: Mapping[str, str], unset: set[str], file: str, where: tuple[str, ...]
) -> Any:
    """Return a part of a document with the variables of its strings filled in."""
    if isinstance(part, dict):
        return {
            key: _filled(item, variables, unset, file, (*where, str(key)))
            for key, item in part.items()
        }
    if isinstance(part, list):
        return [
            _filled(item, variables, unset, file, (*where, str(number)))
            for number, item in enumerate(part)
        ]
    if not isinstance(part, str):
        return part
    try:
        return interpolate(part, variables, unset.add)
    except InterpolationError as error:
        raise ConfigurationError(
            f"{'.'.join(where)} in {file}: {error}.", "Set the variable, in .env too, or mend it."
        ) from error


def _refusal(
    error: ValidationError, files: Sequence[Path], documents: Sequence[Document]
) -> ConfigurationError:
    """Return the first complaint of the models as a sentence that says where it stands."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = [str(step) for step in first["loc"]]
    names = [
        path.name
        for path, document in zip(files, documents, strict=True)
        if _has(document, where[: 3 if len(where) > 2 else None])
    ] or [path.name for path in files]
    key, file = ".".join(where), names[-1]
    if first["type"] == "extra_forbidden":
        return ConfigurationError(
            f"{file} has {key}, a key that is not supported here.",
            "Take it out, or run the stack with `docker compose up`.",
        )
    reason = first["msg"].removeprefix("Value error, ")
    return ConfigurationError(f"{key} in {file}: {reason}.", "Mend it.")


def _has(document: Any, where: Sequence[str]) -> bool:
    for step in where:
        if isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        elif isinstance(document, dict) and step in document:
            document = document[step]
        else:
            return False
    return True


def _complaints(project: Project) -> Iterator[tuple[str, str]]:
    """Give what the models cannot see: names that stand for nothing."""
    content = project.content
    for name, service in project.services.items():
        if service.image is None and service.build is None:
            yield f"services.{name} has neither image nor build.", "Give it one of them."
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
                    f"services.{name} names the {kind} {missing}, which is not there.",
                    f"Describe it under {kind}s, or mend the name.",
                )
