"""One Compose file as YAML has it, brought to the forms that can be merged, and the merge."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from backend.boot.errors import ConfigurationError

Document = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """Reads scalars as text, as they stand: whether `on` or `1e3` is one is for the model to say.

    Two equal keys in one mapping are an error.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own form)
        first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith((":null", ":merge"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands there twice", key.start_mark
                )
            # `<<` may be there several times.
            seen.update([] if key.tag.endswith(":merge") else [key.value])
        return super().construct_mapping(node, deep)


def read_document(path: Path) -> Document:
    """Return what a file says, before interpolation. Raises ConfigurationError."""
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 (a SafeLoader)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{path.name} does not exist.", "Set COMPOSE_FILE, or run this where the file is."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path.name} cannot be read: {error}.", "Mend it.") from error
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigurationError(
            f"{path.name} is no YAML: {line}{error.problem}.", "Mend it."
        ) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path.name} is no YAML: {error}.", "Mend it.") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path.name} is no mapping.", "Begin it with `services:`.")
    # `x-` keys hold what anchors share, and mean nothing themselves.
    return {key: part for key, part in document.items() if not str(key).startswith("x-")}


def normalise(document: Document, variables: Mapping[str, str]) -> Document:
    """Return the document with the mappings that may be written as lists brought to mappings.

    What has no shape that the specification knows stays as it is, for the model to refuse.
    """
    services = document.get("services")
    if not isinstance(services, dict):
        return document
    normal = {
        name: _normal_service(service, variables) if isinstance(service, dict) else service
        for name, service in services.items()
    }
    return {**document, "services": normal}


def _normal_service(service: Document, variables: Mapping[str, str]) -> Document:
    normal = dict(service)
    build = normal.get("build")
    if isinstance(build, str):
        normal["build"] = build = {"context": build}
    if isinstance(build, dict):
        normal["build"] = {
            key: _assignments(part, variables) if key in ("args", "labels") else part
            for key, part in build.items()
        }
    for key in ("environment", "labels"):
        if key in normal:
            normal[key] = _assignments(normal[key], variables)
    for key in ("depends_on", "networks"):
        if isinstance(normal.get(key), list):
            normal[key] = {name: {} for name in normal[key]}
    return normal


def _assignments(part: Any, variables: Mapping[str, str]) -> Any:
    """Return a map of names and values; a name alone takes its value from the variables."""
    if isinstance(part, list) and all(isinstance(item, str) for item in part):
        pairs = (item.partition("=") for item in part)
        part = {name: (value if equals else None) for name, equals, value in pairs}
    if not isinstance(part, dict):
        return part
    given = {name: variables.get(name) if value is None else value for name, value in part.items()}
    return {name: value for name, value in given.items() if value is not None}


# A later file's list stands for the earlier one's here; other lists are joined.
_REPLACED = {"command", "entrypoint", "test"}


def merge(base: Any, other: Any, key: str = "") -> Any:
    """Return `base` with a later file's `other` merged over it, as the specification has it."""
    if isinstance(base, dict) and isinstance(other, dict):
        joined = {name: merge(base[name], other[name], name) for name in base.keys() & other.keys()}
        return {**base, **other, **joined}
    if isinstance(base, list) and isinstance(other, list) and key not in _REPLACED:
        identities = {_identity(item, key) for item in other}
        return [item for item in base if _identity(item, key) not in identities] + other
    return other


def _identity(item: Any, key: str) -> str:
    """Return what an item of a list is replaced by: volumes by their target, else by equality."""
    if key == "volumes":
        target = item.get("target") if isinstance(item, dict) else str(item).split(":")[1:2]
        return str([target] if isinstance(target, str) else target)
    if key == "secrets" and isinstance(item, dict):
        return str(item.get("source"))
    return str(item)
