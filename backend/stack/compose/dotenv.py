"""Read an env file such as `.env` by Compose's rules (compose-go's `dotenv`).

python-dotenv does not fit: it does not support `$VAR`, `$$` and `${VAR-x}`, and has other escapes.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from backend.stack.compose.interpolation import InterpolationError, interpolate

_SPACES = re.compile(r"[\t\v\f\r \x85\xa0]*")
_GAP = re.compile(r"(?:\s+|#[^\n]*)*")
"""Empty lines and comments."""
_EXPORT = re.compile(r"export[\t\v\f\r \x85\xa0]+")
_KEY = re.compile(r"[^=:\n]*")
_NAME = re.compile(r"[\w.\-\[\]]+")
_ESCAPE = re.compile(r"\\(?:[abcfnrtv$\"\\]|0\d{0,3})")
_ESCAPED = {
    r"\a": "\a",
    r"\b": "\b",
    r"\f": "\f",
    r"\n": "\n",
    r"\r": "\r",
    r"\t": "\t",
    r"\v": "\v",
    r"\"": '"',
    r"\\": "\\",
    r"\$": "$$",  # for the interpolation that follows
}


class DotenvError(ValueError):
    """A file is malformed: the message contains the line and the name, but no value."""

    def __init__(self, line: int, what: str, name: str | None = None) -> None:
        super().__init__(f"line {line}: {what}")
        self.name = name
        """The variable's name, if the line has one."""


def parse_dotenv(
    text: str,
    variables: Mapping[str, str],
    on_unset: Callable[[str], None] = lambda _name: None,
    on_error: Callable[[DotenvError], None] | None = None,
) -> dict[str, str]:
    """Return the variables of the text, in its order.

    A value may refer to `variables` and to earlier lines; `variables` have priority. A name without
    a value takes its value from `variables`, or is left out. Raises DotenvError; with `on_error`,
    calls that function instead and skips the line.
    """
    return _Reader(text.removeprefix("\ufeff"), variables, on_unset, on_error).read()


@dataclass
class _Reader:
    """Reads one text from top to bottom."""

    text: str
    variables: Mapping[str, str]
    on_unset: Callable[[str], None]
    on_error: Callable[[DotenvError], None] | None
    at: int = 0
    found: dict[str, str] = field(default_factory=dict)

    def read(self) -> dict[str, str]:
        while True:
            self.skip(_GAP)
            if self.at == len(self.text):
                return self.found
            begin = self.at
            try:
                self.read_statement()
            except DotenvError as error:
                if self.on_error is None:
                    raise
                self.on_error(error)
                end = self.text.find("\n", begin)
                self.at = len(self.text) if end < 0 else end

    def read_statement(self) -> None:
        begin = self.at
        self.skip(_EXPORT)
        key = self.skip(_KEY).strip()
        if not _NAME.fullmatch(key):
            raise self.error(begin, "this does not begin with a variable's name")
        ending = self.text[self.at : self.at + 1]
        self.at += len(ending)
        if ending in ("\n", ""):
            if key in self.variables:
                self.found[key] = self.variables[key]
            return
        self.skip(_SPACES)
        begin = self.at
        try:
            self.found[key] = self.read_value(key)
        except InterpolationError as error:
            raise self.error(begin, f"{key}: {error}", key) from error

    def read_value(self, key: str) -> str:
        quote = self.text[self.at : self.at + 1]
        if quote not in ("'", '"') or not quote:
            line, _, _ = self.text[self.at :].partition("\n")
            self.at += len(line)
            return self.filled(line.partition(" #")[0].rstrip())
        quoted = re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}", re.DOTALL)
        whole = quoted.match(self.text, self.at)
        if whole is None:
            raise self.error(self.at, f"the quote of {key} is not closed", key)
        self.at = whole.end()
        inner = re.sub(
            r"\\(.)",
            lambda it: quote if it[1] == quote else it[0],
            whole[1],
            flags=re.DOTALL,
        )
        return inner if quote == "'" else self.filled(_ESCAPE.sub(_unescape, inner))

    def filled(self, value: str) -> str:
        return interpolate(value, {**self.found, **self.variables}, self.on_unset)

    def skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found.group()

    def error(self, at: int, what: str, name: str | None = None) -> DotenvError:
        return DotenvError(self.text.count("\n", 0, at) + 1, what, name)


def _unescape(escape: re.Match[str]) -> str:
    text = escape[0]
    octal = text[2:]
    if text.startswith(r"\0"):
        is_character = re.fullmatch("[0-3][0-7]{2}", octal) is not None
        return chr(int(octal, 8)) if is_character else text
    return _ESCAPED.get(text, text)
