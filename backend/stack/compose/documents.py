"""Prepare one Compose file for merging: fill in variables, convert short forms to long ones."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from alembic_boot.errors import ConfigurationError
from backend.stack.compose.interpolation import InterpolationError, interpolate
from backend.stack.compose.loading import Content, Document, Unquoted, Where, read_document
from backend.stack.compose.merging import unique

logger = logging.getLogger(__name__)


def prepared(path: Path, variables: Mapping[str, str]) -> Document:
    """Return the content of a file, ready to be merged. Raises ConfigurationError."""
    document = read_document(path)
    unset: set[str] = set()
    filled = _Filling(document, variables, unset).filled(document.content, ())
    for name in sorted(unset):
        logger.warning("%s is not set; %s gets an empty text for it", name, path.name)
    return normalise(replace(document, content=filled), variables)


class _Filling:
    """Fills in the variables of a document's strings."""

    def __init__(self, document: Document, variables: Mapping[str, str], unset: set[str]) -> None:
        self.document = document
        self.variables = variables
        self.unset = unset

    def filled(self, part: Any, where: Where) -> Any:
        if isinstance(part, dict):
            return {key: self.filled(item, (*where, str(key))) for key, item in part.items()}
        if isinstance(part, list):
            return [self.filled(item, (*where, str(at))) for at, item in enumerate(part)]
        if not isinstance(part, str) or "$" not in part:
            return part
        try:
            return interpolate(part, self.variables, self.unset.add)
        except InterpolationError as error:
            raise ConfigurationError(
                f"{'.'.join(where)} in {self.document.place(where)}: {error}.",
                "Set the variable, in .env too, or correct it.",
            ) from error


def normalise(document: Document, variables: Mapping[str, str]) -> Document:
    """Return the document with short forms converted to long ones, if a merge needs that.

    A value of an unknown shape stays as it is, and the model refuses it. Raises ConfigurationError
    for a value that Compose would write differently.
    """
    services = document.content.get("services")
    if not isinstance(services, dict):
        return document
    normal = {
        name: _Normal(document, ("services", str(name)), variables).service(service)
        if isinstance(service, dict)
        else service
        for name, service in services.items()
    }
    return replace(document, content={**document.content, "services": normal})


class _Normal:
    """Converts the parts of one service to their long forms."""

    def __init__(self, document: Document, where: Where, variables: Mapping[str, str]) -> None:
        self.document = document
        self.where = where
        self.variables = variables

    def service(self, given: Content) -> Content:
        normal = dict(given)
        if isinstance(normal.get("build"), str):
            normal["build"] = {"context": normal["build"]}
        for key in ("environment", "labels"):
            if key in normal:
                normal[key] = self.assignments(normal[key], (key,))
        for key, inner in (("build", "args"), ("build", "labels"), ("logging", "options")):
            part = normal.get(key)
            if isinstance(part, dict) and inner in part:
                normal[key] = {**normal[key], inner: self.assignments(part[inner], (key, inner))}
        self.refuse_unquoted(normal.get("user"), ("user",))
        check = normal.get("healthcheck")
        test = check.get("test") if isinstance(check, dict) else None
        for number, part in enumerate(test if isinstance(test, list) else [test]):
            place = ("healthcheck", "test", str(number))
            self.refuse_unquoted(part, place if isinstance(test, list) else place[:2])
        for key in ("env_file", "tmpfs"):
            if isinstance(normal.get(key), str):
                normal[key] = [normal[key]]
        if isinstance(depends_on := normal.get("depends_on"), list):
            # In full, because a list overrides another condition of an earlier file.
            normal["depends_on"] = {str(it): {"condition": "service_started"} for it in depends_on}
        if isinstance(networks := normal.get("networks"), list):
            normal["networks"] = {str(it): None for it in networks}
        return {
            key: unique(part, key) if isinstance(part, list) and key in _UNIQUE else part
            for key, part in normal.items()
        }

    def assignments(self, part: Any, where: Where) -> Any:
        """Return a map of names and values.

        A name without a value takes its value from the variables, or is left out; a label becomes
        empty.
        """
        if isinstance(part, list) and all(isinstance(item, str) for item in part):
            pairs = (item.partition("=") for item in part)
            part = {name: (value if equals else None) for name, equals, value in pairs}
        if not isinstance(part, dict):
            return part
        for name, value in part.items():
            self.refuse_unquoted(value, (*where, str(name)))
        given = {
            name: self._default(name, where) if value is None else value
            for name, value in part.items()
        }
        return {name: value for name, value in given.items() if value is not None}

    def refuse_unquoted(self, value: Any, where: Where) -> None:
        """Raise ConfigurationError for a value that Compose would pass on in another form."""
        if isinstance(value, Unquoted):
            place = (*self.where, *where)
            raise ConfigurationError(
                f"{'.'.join(place)} in {self.document.place(place)}: without quotes YAML reads "
                "it as a number, a date or a truth, and Compose writes that in another way.",
                "Put the value into quotes.",
            )

    def _default(self, name: Any, where: Where) -> str | None:
        return "" if where[-1] == "labels" else self.variables.get(str(name))


_UNIQUE = {
    *("env_file", "expose", "ports", "secrets", "tmpfs", "volumes", "cap_add", "cap_drop"),
}
