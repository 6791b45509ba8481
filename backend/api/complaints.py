"""Errors of a request in words for its sender, without Python terms."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from backend.schemas.field_types import PATTERN_MEANINGS
from backend.schemas.problems import Complaint

MOST = 20
"""Number of errors that an answer lists."""

_LONGEST_KEY = 100
"""Characters of an unknown key that an answer shows."""

# Text instead of an object: FastAPI passes bytes on if the header does not say JSON.
_NO_OBJECT = frozenset({"model_attributes_type", "dict_type"})

_MEMBER = re.compile(r"<[^<>:]*: ('[^']*')>")


def complaints(faults: Sequence[Mapping[str, Any]], *, is_json: bool) -> list[Complaint]:
    """Return the first complaints about a request; `is_json` tells what its header declares.

    No complaint contains a sent value, which may be a password.
    """
    return [
        Complaint(
            loc=[it[:_LONGEST_KEY] if isinstance(it, str) else it for it in fault["loc"]],
            msg=_in_words(fault, is_json=is_json),
            type=fault["type"],
        )
        for fault in faults[:MOST]
    ]


def _in_words(fault: Mapping[str, Any], *, is_json: bool) -> str:
    said: str = fault["msg"]
    context: Mapping[str, Any] = fault.get("ctx") or {}
    match fault["type"]:
        case "value_error":
            own = said.removeprefix("Value error, ")
            return own[:1].upper() + own[1:]
        case "literal_error":
            return _MEMBER.sub(r"\1", said)
        case "string_pattern_mismatch":
            return PATTERN_MEANINGS.get(context["pattern"], said)
        case "too_short" if context["field_type"] == "Value":  # for example a SecretStr
            return f"Should have at least {context['min_length']} characters"
        case "too_long" if context["field_type"] == "Value":
            return f"Should have at most {context['max_length']} characters"
        case kind if kind in _NO_OBJECT and fault["loc"] == ("body",) and not is_json:
            return "Send it as JSON, with the header `Content-Type: application/json`"
        case kind if kind in _NO_OBJECT:
            return "Should be an object"
        case _:
            return said.replace(" after validation", "")
