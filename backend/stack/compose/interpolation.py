"""Variables in the strings of a Compose file, by the rules of the Compose specification.

Where the specification is silent, compose-go's `template` package is followed.
"""

import re
from collections.abc import Callable, Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")


class InterpolationError(ValueError):
    """A string asks for a variable that is not there, or is not written as it has to be.

    The message never holds the string itself, which may be a secret.
    """


def interpolate(
    text: str,
    variables: Mapping[str, str],
    on_unset: Callable[[str], None] = lambda _name: None,
) -> str:
    """Return the text with its variables filled in.

    `$VAR` and `${VAR}` give the value, or nothing (`on_unset` is told the name); `-` gives a
    default where the variable is unset, `+` a replacement where it is set, `?` an error where it is
    unset, and with a colon an empty value counts as unset. What follows the operator may hold
    variables itself; it is read only if it is used. `$$` is a dollar sign, and so is a `$` before
    anything else. Raises InterpolationError.
    """
    parts: list[str] = []
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        parts.append(text[at:dollar])
        if text.startswith("$$", dollar):
            part, at = "$", dollar + 2
        elif text.startswith("${", dollar):
            part, at = _braced(text, dollar, variables, on_unset)
        elif name := _NAME.match(text, dollar + 1):
            part, at = _value(name.group(), variables, on_unset), name.end()
        else:
            part, at = "$", dollar + 1
        parts.append(part)
    return "".join([*parts, text[at:]])


def _braced(
    text: str, dollar: int, variables: Mapping[str, str], on_unset: Callable[[str], None]
) -> tuple[str, int]:
    """Return what the `${…}` that begins at `dollar` gives, and where the text goes on."""
    found = _NAME.match(text, dollar + 2)
    if found is None:
        raise InterpolationError("a ${ is followed by no variable's name; ${ itself is $${")
    name = found.group()
    if text.startswith("}", found.end()):
        return _value(name, variables, on_unset), found.end() + 1
    operator = next((it for it in _OPERATORS if text.startswith(it, found.end())), None)
    if operator is None:
        raise InterpolationError(f"${{{name} is followed by none of {' '.join(_OPERATORS)} and }}")
    end = _closing_brace(text, dollar)
    if end is None:
        raise InterpolationError(f"the ${{ of {name} is not closed")
    operand = text[found.end() + len(operator) : end]
    value = variables.get(name)
    is_set = bool(value) if operator.startswith(":") else value is not None
    is_replaced = operator.endswith("+")
    if is_set != is_replaced:
        return "" if is_replaced else value or "", end + 1
    filled = interpolate(operand, variables, on_unset)
    if operator.endswith("?"):
        raise InterpolationError(f"{name} is not set" + (f": {filled}" if filled else ""))
    return filled, end + 1


def _closing_brace(text: str, start: int) -> int | None:
    """Return where the brace is that closes the first one; the last of all if none does."""
    depth = 0
    for at in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if text[at] == "}" and depth == 0:
            return at
    last = text.rfind("}", start)
    return None if last < 0 else last


def _value(name: str, variables: Mapping[str, str], on_unset: Callable[[str], None]) -> str:
    if name not in variables:
        on_unset(name)
    return variables.get(name, "")
