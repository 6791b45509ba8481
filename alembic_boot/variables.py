"""Environment variables, and readers for each type of value."""

import re
import shlex
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from alembic_boot.errors import ConfigurationError
from alembic_boot.postgres.database_url import read_secret
from alembic_boot.postgres.urls import DatabaseUrl, hide_password, parse_database_url

T = TypeVar("T")
Choice = TypeVar("Choice", bound=StrEnum)

_SERVICE_LINK = re.compile(r"\s*(?:tcp|udp|sctp)://\S*:\d+\s*", re.IGNORECASE)


def is_service_link(name: str, text: str) -> bool:
    """Return whether Kubernetes has set this variable for a Service of the namespace.

    A Service `backend` gives BACKEND_PORT=tcp://10.96.0.7:8000 to every pod. The other variables of
    a Service (BACKEND_SERVICE_HOST, BACKEND_PORT_8000_TCP, …) are not settings of ours.
    """
    return name.endswith("_PORT") and _SERVICE_LINK.fullmatch(text) is not None


def _refuse_undecodable(given: Mapping[str, str]) -> None:
    """Raise ConfigurationError for a value that is not UTF-8."""
    # Python stores bytes that are not UTF-8 as surrogates, which no driver accepts.
    for name, text in given.items():
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise ConfigurationError(f"{name} is not UTF-8.", "Set it again.")


class LogLevel(StrEnum):
    """The log level."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """The format of a log line."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class Values:
    """The variables that are set. Each reader raises ConfigurationError for an invalid value."""

    given: Mapping[str, str] = field(repr=False)
    service_links: tuple[str, ...] = ()
    """Names that are left out of `given`, because Kubernetes has set them."""

    def text(self, name: str, default: str) -> str:
        """Return the text without spaces around it."""
        return self.given.get(name, default).strip()

    def secret(self, name: str) -> str | None:
        """Return a secret from the variable itself, or from the file that `<name>_FILE` names."""
        # Without stripping: a password may begin or end with a space.
        given = self.given.get(name)
        file = self.text(f"{name}_FILE", "")
        if given and file:
            raise ConfigurationError(f"{name} and {name}_FILE are both set.", "Keep one of them.")
        if not file:
            return given
        try:
            return read_secret(Path(file))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"{name}_FILE cannot be read: {error}.", "Fix the path or its rights."
            ) from error

    def url(self, name: str) -> DatabaseUrl | None:
        """Return a database's URL, whose password is hidden from now on; None if it is not set."""
        text = self.text(name, "")
        found = parse_database_url(text, name) if text else None
        hide_password(found)
        return found

    def words(self, name: str) -> tuple[str, ...]:
        """Return the words of a text, separated and quoted as in a shell."""
        try:
            return tuple(shlex.split(self.text(name, "")))
        except ValueError as error:
            raise ConfigurationError(
                f"{name} is not written as in a shell: {error}.",
                "Close each quote: tenant=a 'note=two words'.",
            ) from error

    def boolean(self, name: str, *, default: bool) -> bool:
        """Return True for true, 1, yes or on; False for false, 0, no or off."""
        words = {"true": True, "1": True, "yes": True, "on": True}
        words |= {"false": False, "0": False, "no": False, "off": False}
        return self._converted(
            name, default, lambda text: words[text.lower()], "neither true nor false"
        )

    def integer(self, name: str, default: int, *, least: int, most: int) -> int:
        """Return a whole number within these limits."""

        def convert(text: str) -> int:
            if least <= (number := int(text)) <= most:
                return number
            raise ValueError

        return self._converted(name, default, convert, f"not a number from {least} to {most}")

    def seconds(self, name: str, default: float) -> float:
        """Return a number of seconds, up to some days."""

        def convert(text: str) -> float:
            if 0 <= (number := float(text)) <= 1e6:
                return number
            raise ValueError

        return self._converted(name, default, convert, "not a number of seconds from 0 up")

    def one_of(self, name: str, kind: type[Choice], default: Choice) -> Choice:
        """Return one of the choices, in upper or lower case."""
        choices = ", ".join(kind)
        return self._converted(name, default, lambda text: kind(text.lower()), f"none of {choices}")

    def _converted(self, name: str, default: T, convert: Callable[[str], T], complaint: str) -> T:
        text = self.text(name, "")
        if not text:
            return default
        try:
            return convert(text)
        except (ValueError, KeyError) as error:
            raise ConfigurationError(
                f"{name}={text!r} is {complaint}.", "Set it to one of those, or unset it."
            ) from error


def read_values(given: Mapping[str, str | None], names: Collection[str]) -> Values:
    """Return those of the variables that have one of these names.

    An empty value counts as unset, and so does what Kubernetes has set for a Service of that name.
    Raises ConfigurationError for a value that is not UTF-8.
    """
    found = {name: text for name, text in given.items() if text and name in names}
    links = tuple(name for name, text in found.items() if is_service_link(name, text))
    own = {name: text for name, text in found.items() if name not in links}
    _refuse_undecodable(own)
    return Values(own, links)
