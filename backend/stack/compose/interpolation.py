"""Variables in the strings of a Compose file, by the rules of the Compose specification."""

import re
from collections.abc import Callable, Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")


class InterpolationError(ValueError):
    """A string asks for a variable that is not there, or is not written as it has to be."""


def interpolate(
    text: str,
    variables: Mapping[str, str],
    on_unset: Callable[[str], None] = lambda _name: None,
) -> str:
    """Return the text with its variables filled in.

    `$VAR` and `${VAR}` give the value, or nothing (`on_unset` is told the name); `-` gives a
    default where the variable is unset, `+` a replacement where it is set, `?` an error where it is
    unset, and with a colon an empty value counts as unset. What follows the operator may hold
    variables itself. `$$` is a dollar sign. Raises InterpolationError.
    """
    return _Template(text, variables, on_unset).until_end(0)[0]


class _Template:
    """One text, read from left to right."""

    def __init__(
        self, text: str, variables: Mapping[str, str], on_unset: Callable[[str], None]
    ) -> None:
        self.text = text
        self.variables = variables
        self.on_unset = on_unset

    def until_end(self, start: int, closing: str = "") -> tuple[str, int]:
        """Return what stands from `start` to the closing brace (or the end), and where that is."""
        parts: list[str] = []
        at = start
        while at < len(self.text):
            character = self.text[at]
            if closing and character == closing:
                return "".join(parts), at
            if character != "$":
                parts.append(character)
                at += 1
                continue
            part, at = self.after_dollar(at + 1)
            parts.append(part)
        if closing:
            raise InterpolationError(f"{self.text!r} has a ${{ that is not closed")
        return "".join(parts), at

    def after_dollar(self, at: int) -> tuple[str, int]:
        if self.text.startswith("$", at):
            return "$", at + 1
        is_braced = self.text.startswith("{", at)
        name = _NAME.match(self.text, at + is_braced)
        if name is None:
            raise InterpolationError(
                f"{self.text!r} has a $ that begins no variable; a dollar sign itself is $$"
            )
        if not is_braced:
            return self.value(name.group()), name.end()
        if self.text.startswith("}", name.end()):
            return self.value(name.group()), name.end() + 1
        operator = next((it for it in _OPERATORS if self.text.startswith(it, name.end())), None)
        if operator is None:
            raise InterpolationError(
                f"{self.text!r} has a ${{{name.group()} that is followed by none of "
                f"{' '.join(_OPERATORS)} and }}"
            )
        return self.operated(name.group(), operator, name.end() + len(operator))

    def operated(self, name: str, operator: str, at: int) -> tuple[str, int]:
        # What is not used must not complain: `${A:-${B:?missing}}` is good where A is set.
        value = self.variables.get(name)
        is_set = bool(value) if operator.startswith(":") else value is not None
        kind = operator[-1]
        is_used = is_set if kind == "+" else not is_set
        reader = self if is_used else _Template(self.text, _Anything(), lambda _name: None)
        operand, end = reader.until_end(at, "}")
        if kind == "?" and not is_set:
            reason = f": {operand}" if operand else ""
            raise InterpolationError(f"{name} is not set{reason}")
        if kind == "+":
            return (operand if is_set else ""), end + 1
        return (value or "" if is_set else operand), end + 1

    def value(self, name: str) -> str:
        if name not in self.variables:
            self.on_unset(name)
        return self.variables.get(name, "")


class _Anything(dict[str, str]):
    """Has every variable, with a value: for reading over what is not used."""

    def __contains__(self, _name: object) -> bool:
        return True

    def get(self, _name: str, _default: object = None) -> str:
        return "set"
