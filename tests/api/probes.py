"""Readiness, as a probe that comes again and again sees it."""

import time

import httpx

DEADLINE = 30.0
"""Seconds after which readiness should have changed: generous, never measured."""

_PAUSE = 0.05
"""Seconds between two probes: an answer is kept for a second."""


def readiness(client: httpx.Client, status: int) -> httpx.Response:
    """Return the first answer with this status: an answer may be a second old."""
    deadline = time.monotonic() + DEADLINE
    while (answer := client.get("/health/ready")).status_code != status:
        assert time.monotonic() < deadline, answer.text
        time.sleep(_PAUSE)
    return answer


def reason(client: httpx.Client, words: str) -> httpx.Response:
    """Return the first answer whose reason has these words in it; without words, none at all."""
    deadline = time.monotonic() + DEADLINE
    while not _says(answer := client.get("/health/ready"), words):
        assert time.monotonic() < deadline, answer.text
        time.sleep(_PAUSE)
    return answer


def _says(answer: httpx.Response, words: str) -> bool:
    said = answer.json().get("reason")
    return words in said if said and words else not said and not words
