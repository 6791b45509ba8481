"""Published ports: a single port, or a range from which each container takes one."""

import ipaddress
import re
from dataclasses import dataclass

_SHORT = re.compile(
    r"(?:(?:(?P<ip>\[[^\]]*\]|[^:\[\]]*):)?(?P<published>\d+(?:-\d+)?)?:)?"
    r"(?P<target>\d+)(?:/(?P<protocol>tcp|udp))?"
)


@dataclass(frozen=True)
class PortRange:
    """The ports from `first` to `last`, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"

    def __len__(self) -> int:
        return self.last - self.first + 1

    def numbers(self) -> range:
        """Return each of the ports."""
        return range(self.first, self.last + 1)


def parse_range(text: str | PortRange) -> PortRange:
    """Return the range of `8000` or `8000-8004`. Raises ValueError."""
    if isinstance(text, PortRange):
        return text
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip())
    if found is None:
        raise ValueError(f"{text!r} is neither a port nor a range like 8000-8004")
    first, last = int(found[1]), int(found[2] or found[1])
    if not 1 <= first <= last <= 65535:
        raise ValueError(f"{text!r} is not within 1-65535, or ends before it begins")
    return PortRange(first, last)


def parse_short(text: str) -> dict[str, str]:
    """Return the long form of `[[ADDRESS:]PORT:]PORT[/PROTOCOL]`. Raises ValueError."""
    found = _SHORT.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            f"{text!r} is not a port: write it as 8000:8000, 127.0.0.1:8000:8000 or "
            "8000-8004:8000, "
            "with one port of the container"
        )
    parts = {name: part for name, part in found.groupdict().items() if part}
    if "ip" in parts:
        parts["host_ip"] = parts.pop("ip").strip("[]")
    if ":" in text and not parts.get("published"):
        raise ValueError(f"{text!r} has no port before the container's")
    return parts


def parse_address(text: str) -> str:
    """Return the address if it is one. Raises ValueError."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None
