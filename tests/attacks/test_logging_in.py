"""Many who sign in while others read: hashes take little memory, and guesses are refused."""

import asyncio
from functools import partial

import pytest

from tests.attacks.application import LIMIT, Application, Attack
from tests.attacks.load import ask, crowd, request
from tests.attacks.loads import log_in_and_read
from tests.attacks.probing import LIST, LIVE, READY, probing

pytestmark = [pytest.mark.slow, pytest.mark.alone]


def test_those_who_sign_in_take_little_memory(attack: Attack) -> None:
    """With as many hashes as can be: no limit refuses a guess before it is hashed."""
    with attack(SIGN_IN_LIMITS="false") as application:
        with probing(application.port, LIVE, READY, LIST) as meanwhile:
            outcomes = asyncio.run(log_in_and_read(application, 60))
        assert outcomes.keys() == {"200", "401"}
        assert {path: it.failures for path, it in meanwhile.items()} == {LIVE: 0, READY: 0, LIST: 0}
        assert application.is_alive
        assert application.peak < LIMIT / 2


def test_guesses_are_refused(application: Application) -> None:
    """Most of a crowd from one address is, and readers are answered meanwhile.

    A busy machine sheds some of them before they are counted (503).
    """
    sent = request("POST", "/api/v1/auth/login", {"email": "a@b.cd", "password": "wrong"})
    with probing(application.port, LIVE, LIST) as meanwhile:
        outcomes = asyncio.run(crowd(100, partial(ask, application.port, sent)))
    assert {"401", "429"} <= outcomes.keys() <= {"401", "429", "503"}
    assert outcomes["429"] > outcomes["401"] + outcomes.get("503", 0)
    assert {path: it.failures for path, it in meanwhile.items()} == {LIVE: 0, LIST: 0}
