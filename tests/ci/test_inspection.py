"""What makes an image unfit: as a table."""

from dataclasses import replace
from typing import Any

import pytest

from backend.ci.inspection import ImageFacts, complaints

FIT = ImageFacts(
    uid=10001,
    unwanted=(),
    labels={
        "org.opencontainers.image.version": "1.2.3",
        "org.opencontainers.image.revision": "abc",
    },
    environment=("PATH=/venv/bin", "APP_ENV=prod"),
    size=1,
)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"uid": 0}, ["It runs as root."]),
        ({"environment": ("APP_ENV=dev",)}, ["It does not set APP_ENV=prod."]),
        (
            {"unwanted": ("gcc", "the package pytest")},
            ["It has gcc.", "It has the package pytest."],
        ),
        (
            {"labels": {"org.opencontainers.image.version": "1.2.3"}},
            ["Its label org.opencontainers.image.revision says '', and not 'abc'."],
        ),
    ],
)
def test_complaints(change: dict[str, Any], expected: list[str]) -> None:
    assert complaints(replace(FIT, **change), "1.2.3", "abc") == expected
