"""The command that `run` becomes: it serves, and readiness answers through the router.

It has the process's own id, so a signal reaches it, and its exit status is that of the start.
"""

import pytest

from tests.strangers.layouts import LAYOUTS, MakeStranger
from tests.strangers.serving import assert_serves

pytestmark = pytest.mark.slow

COMMANDS = [
    "run -- uvicorn {app} --port {port}",
    "run -- gunicorn {app} -k uvicorn_worker.UvicornWorker -w 2 -b 127.0.0.1:{port}",
    "run -- fastapi run {file} --host 127.0.0.1 --port {port}",
    "start --app {app} --port {port}",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_serves(command: str, stranger: MakeStranger) -> None:
    layout = LAYOUTS[0]
    assert_serves(stranger(layout), command, layout.app)
