"""Ask the backend whether it is ready: its status is the image's health.

Run with `python -S`: it imports nothing but what it needs, for it runs every few seconds.
"""

import http.client
import os
import sys
import time

_PAUSE = 0.1
"""Seconds between two attempts."""

_ANSWER = 4
"""Seconds that an answer may take."""


def main() -> int:
    """Return 0 if the backend is ready, 1 if it is not; the reason is on stdout.

    While the backend boots, this waits, until it is killed. A boot may take long, but the first
    answer of the application itself counts at once.
    """
    port = int(os.environ["BACKEND_PORT"])
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER)
        try:
            connection.request("GET", "/health/ready")
            answer = connection.getresponse()
            body = answer.read()
        except ConnectionRefusedError:
            time.sleep(_PAUSE)
        except OSError as error:
            print(f"The backend does not answer: {error}.")  # noqa: T201
            return 1
        else:
            if answer.status == 200:
                return 0
            text = body.decode(errors="replace")
            facts = facts_of(text)
            if facts.get("status") != "booting":
                print(facts.get("reason", text))  # noqa: T201
                return 1
            time.sleep(_PAUSE)


def facts_of(text: str) -> dict[str, object]:
    """Return the facts of an answer; none if it is no JSON object."""
    import json

    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


if __name__ == "__main__":
    sys.exit(main())
