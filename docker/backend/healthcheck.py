"""Ask the backend whether it is ready: its status is the image's health.

Run with `python -S`: it imports nothing but what it needs, for it runs every few seconds.
"""

import http.client
import os
import sys
import time

_PAUSE = 0.1
"""Seconds between attempts to connect."""

_ANSWER = 4
"""Seconds that an answer may take."""


def main() -> int:
    """Return 0 where the backend is ready, 1 where it is not; the reason is on stdout.

    As long as nothing listens, which is while the schema moves, this waits, until it is killed:
    a start may take long, and an answer that says no has to count as soon as there is one.
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
            print(reason(body))  # noqa: T201
            return 1


def reason(body: bytes) -> str:
    """Return what an answer that says no gives as its reason; the whole of it if it has none."""
    import json

    text = body.decode(errors="replace")
    try:
        return str(json.loads(text)["reason"])
    except (ValueError, KeyError, TypeError):
        return text


if __name__ == "__main__":
    sys.exit(main())
