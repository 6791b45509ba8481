"""Ask the backend whether it is ready: its status is the image's health.

Run with `python -S`: it imports nothing but what it needs, for it runs every few seconds.
"""

import http.client
import os
import sys


def main() -> int:
    """Return 0 where the backend is ready, 1 where it is not; the answer is on stdout."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["BACKEND_PORT"]), timeout=4)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        print(answer.read().decode(errors="replace"))  # noqa: T201
    except OSError as error:
        print(f"The backend does not answer: {error}.")  # noqa: T201
        return 1
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
