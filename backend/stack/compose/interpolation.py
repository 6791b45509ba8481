"""Variables in the strings of a Compose file, by the rules of the Compose specification.

If the specification says nothing, compose-go's `template` package is followed.
"""

import re
from collections.abc import Callable, Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")


class InterpolationError(ValueError):
    """A string refers to a required variable that is not set, or is malformed.

    The message never contains the string itself, which may be a secret.
    """


def interpolate(
    text: str,
    variables: Mapping[str, str],
    on_unset: Callable[[str], None] = lambda _name: None,
) -> str:
    """Return the text with its variables filled in.

    `$VAR` and `${VAR}` give the value, or nothing (then `on_unset` gets the name). `-` gives a
    default if the variable is unset, `+` a replacement if it is set, `?` an error if it is unset.
    With a colon an empty value counts as unset. The text after the operator may contain variables
    itself; it is read only if it is used. `$$` is a dollar sign, and so is a `$` before any other
    character. Raises InterpolationError.
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
    """Return the value of the `${…}` that begins at `dollar`, and the position after it."""
    found = _NAME.match(text, dollar + 2)
    if found is None:
        raise InterpolationError("no variable's name follows ${; write $${ for a literal ${")
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
    """Return the position of the matching closing brace, or of the last brace if none matches."""
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
