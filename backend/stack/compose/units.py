"""Durations and sizes in Compose's format."""

import re

_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|m|s)")
_NANOSECONDS = {
    "h": 3600 * 10**9,
    "m": 60 * 10**9,
    "s": 10**9,
    "ms": 10**6,
    "us": 10**3,
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?", re.I)
_POWERS = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_duration(text: str) -> int:
    """Return the nanoseconds of `1m30s`, `500ms` or a number of seconds. Raises ValueError."""
    whole = text.strip().replace(" ", "")
    if re.fullmatch(r"\d+(\.\d+)?", whole):
        whole += "s"
    parts = _DURATION_PART.findall(whole)
    if not parts or "".join(number + unit for number, unit in parts) != whole:
        raise ValueError(f"{text!r} is not a duration: write it as 500ms, 10s or 1m30s")
    return round(sum(float(number) * _NANOSECONDS[unit] for number, unit in parts))


def parse_size(text: str) -> int:
    """Return the bytes of `64m`, `1.5gb` or a plain number of bytes. Raises ValueError."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a size: write it as 512k, 64m or 1g")
    number, unit = found.groups()
    factor: int = 1024 ** _POWERS[unit.lower()]
    return round(float(number) * factor)
