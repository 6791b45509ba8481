"""Published ports: the short form, and ranges."""

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from backend.stack.compose.model import Port
from backend.stack.compose.ports import PortRange, parse_range


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8000", Port(target=8000)),
        ("8080:8000", Port(target=8000, published=PortRange(8080, 8080))),
        ("8000-8004:8000", Port(target=8000, published=PortRange(8000, 8004))),
        (
            "127.0.0.1:8080:8000",
            Port(target=8000, published=PortRange(8080, 8080), host_ip="127.0.0.1"),
        ),
        (
            "127.0.0.1:8000-8004:80",
            Port(target=80, published=PortRange(8000, 8004), host_ip="127.0.0.1"),
        ),
        ("[::1]:8080:8000", Port(target=8000, published=PortRange(8080, 8080), host_ip="::1")),
        ("53:53/udp", Port(target=53, published=PortRange(53, 53), protocol="udp")),
    ],
)
def test_short_form(text: str, expected: Port) -> None:
    assert Port.model_validate(text) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("http", "'http' is not a port: write it as 8000:8000,"),
        ("8000:http", "is not a port"),
        ("", "is not a port"),
        (":8000", "':8000' has no port before the container's"),
        ("127.0.0.1::8000", "has no port before the container's"),
        ("8000-8001:8000-8001", "with one port of the container"),
        ("80:80/icmp", "is not a port"),
        ("localhost:80:80", "'localhost' is not an IP address"),
        ("70000:80", "'70000' is not within 1-65535, or ends before it begins"),
        ("8004-8000:80", "'8004-8000' is not within 1-65535, or ends before it begins"),
        ("0:80", "'0' is not within 1-65535"),
        ("80:70000", "less than or equal to 65535"),
    ],
)
def test_refusal(text: str, complaint: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Port.model_validate(text)
    assert complaint in str(raised.value)


@given(st.integers(1, 65535), st.integers(1, 65535))
def test_range(first: int, last: int) -> None:
    """A range holds its ports from first to last, and comes back as it is written."""
    if first > last:
        with pytest.raises(ValueError, match="ends before it begins"):
            parse_range(f"{first}-{last}")
        return
    ports = parse_range(f"{first}-{last}")
    assert ports == PortRange(first, last)
    assert len(ports) == last - first + 1
    assert list(ports.numbers()) == list(range(first, last + 1))
    assert parse_range(str(ports)) == ports
