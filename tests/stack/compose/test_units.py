"""Durations and sizes as Compose writes them."""

import pytest
from hypothesis import given, strategies as st

from backend.stack.compose.units import parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10s", 10 * 10**9),
        ("500ms", 500 * 10**6),
        ("1m30s", 90 * 10**9),
        ("1h5m30s20ms", (3930 * 1000 + 20) * 10**6),
        ("2.5s", 2_500_000_000),
        ("10us", 10_000),
        ("0", 0),
        ("30", 30 * 10**9),
    ],
)
def test_duration(text: str, expected: int) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "s", "10 bananas", "-5s", "1s2", "5 minutes", "1e3"])
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration: write it as 500ms, 10s or 1m30s"):
        parse_duration(text)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_duration_is_the_sum_of_its_parts(hours: int, minutes: int, seconds: int) -> None:
    whole = parse_duration(f"{hours}h{minutes}m{seconds}s")
    assert whole == (hours * 3600 + minutes * 60 + seconds) * 10**9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("512", 512),
        ("512b", 512),
        ("64k", 64 << 10),
        ("64kb", 64 << 10),
        ("256m", 256 << 20),
        ("256MB", 256 << 20),
        ("1g", 1 << 30),
        ("1.5gb", 3 << 29),
        ("1gib", 1 << 30),
        ("2t", 2 << 40),
    ],
)
def test_size(text: str, expected: int) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "m", "-1m", "1x", "a lot", "1m1k"])
def test_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size: write it as 512k, 64m or 1g"):
        parse_size(text)
