"""Guesses at passwords are refused by all replicas together; where they come from is not made up.

How many are free, and how long the others wait, is in tests/services/test_attempts.py.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx
import pytest

from backend.api.untrusted_proxies import is_ignored
from backend.main import create_app
from backend.services.attempts import OF_ACCOUNT_HERE, OF_REGISTERING
from tests.api.application_settings import settings_for
from tests.api.crowd import all_at_once
from tests.api.people import PASSWORD, new_name, without_instance
from tests.api.server import serving
from tests.cluster import Cluster

AUTH = "/api/v1/auth"

EMAIL = "mina@example.org"

HOME = "192.0.2.1"
"""Where Mina is."""

STRANGER = "198.51.100.1"

TRUSTED = "127.0.0.1"
"""The tests themselves, who stand for a proxy."""


@dataclass(frozen=True)
class Limited:
    """Two replicas that limit attempts, on one database."""

    clients: tuple[httpx.Client, ...]
    cluster: Cluster
    database: str

    def request(
        self, route: str, email: str, password: str, host: str, number: int = 0
    ) -> httpx.Request:
        """Return a request that a proxy passes on to one of the replicas."""
        return self.clients[number % 2].build_request(
            "POST",
            f"{AUTH}/{route}",
            json={"email": email, "password": password},
            headers={"X-Forwarded-For": host},
        )

    def send(self, route: str, email: str, password: str, host: str) -> httpx.Response:
        return self.clients[0].send(self.request(route, email, password, host))

    def spend(self, *hosts: str) -> Counter[int]:
        """Make more guesses than are free, from these addresses in turn; return the statuses."""
        connections = [
            self.request("login", EMAIL, "a-wrong-password", hosts[it % len(hosts)], it)
            for it in range(OF_ACCOUNT_HERE.free + 5)
        ]
        statuses = Counter(it.status_code for it in all_at_once(connections))
        # However slow this machine is, the waits are not over yet.
        self.cluster.execute(
            "UPDATE attempts SET next_at = next_at + interval '1 h' WHERE forgotten_at >"
            f" clock_timestamp() + interval '{OF_ACCOUNT_HERE.free // 2} min'",
            self.database,
        )
        return statuses


@contextmanager
def limited_replicas(cluster: Cluster, template: str, trusted: str = TRUSTED) -> Iterator[Limited]:
    """Give two replicas, and Mina's account."""
    with ExitStack() as stack:
        database = stack.enter_context(cluster.database(template))
        settings = settings_for(cluster.url(database), SIGN_IN_LIMITS="true")
        options = {"forwarded_allow_ips": trusted}
        clients = [stack.enter_context(serving(create_app(settings), **options)) for _ in range(2)]
        service = Limited(tuple(clients), cluster, database)
        assert service.send("register", EMAIL, PASSWORD, HOME).status_code == 202
        yield service


@pytest.fixture
def limited(cluster: Cluster, migrated_template: str) -> Iterator[Limited]:
    with limited_replicas(cluster, migrated_template) as service:
        yield service


def test_guesses_are_refused(limited: Limited) -> None:
    """Whichever replica they go to, and also when many come at once; the owner signs in."""
    statuses = limited.spend(STRANGER)
    assert statuses.keys() == {401, 429}
    assert statuses[401] >= OF_ACCOUNT_HERE.free
    refused = limited.send("login", EMAIL, PASSWORD, STRANGER)
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["type"] == "urn:moriai:problem:too-many-attempts"
    assert int(refused.headers["retry-after"]) > 0
    assert limited.send("login", EMAIL, PASSWORD, HOME).status_code == 200


def test_guesses_within_a_session_count_as_well(limited: Limited) -> None:
    """Who has found a token does not find the password by it."""
    token = limited.send("login", EMAIL, PASSWORD, HOME).json()["access_token"]
    limited.spend(HOME)
    client = limited.clients[0]
    for route, body in {
        "password": {"password": PASSWORD, "new_password": "another-password-of-tests"},
        "me/delete": {"password": PASSWORD},
    }.items():
        headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": HOME}
        assert client.post(f"{AUTH}/{route}", json=body, headers=headers).status_code == 429


def test_registering_is_limited(limited: Limited) -> None:
    """Alike whether the address is taken or not."""
    connections = [
        limited.request("register", f"{new_name()}@example.org", PASSWORD, STRANGER, it)
        for it in range(OF_REGISTERING.free + 5)
    ]
    statuses = Counter(it.status_code for it in all_at_once(connections))
    assert statuses.keys() == {202, 429}
    limited.cluster.execute(
        "UPDATE attempts SET next_at = next_at + interval '1 h'", limited.database
    )
    refused = [
        limited.send("register", email, PASSWORD, STRANGER) for email in (EMAIL, "no@example.org")
    ]
    assert {it.status_code for it in refused} == {429}
    assert len({without_instance(it) for it in refused}) == 1


def test_an_ipv6_network_is_one_client(limited: Limited) -> None:
    limited.spend(*(f"2001:db8::{number:x}" for number in range(20)))
    assert limited.send("login", EMAIL, PASSWORD, "2001:db8::ffff").status_code == 429
    assert limited.send("login", EMAIL, PASSWORD, "2001:db8:0:1::1").status_code == 200


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("172.18.0.1", [], False),
        ("192.0.2.1", ["192.0.2.1"], False),
        ("192.0.2.1", ["203.0.113.1, 192.0.2.1:4711"], False),
        ("2001:db8::1", ["203.0.113.1", "[2001:db8::1]:80"], False),
        ("172.18.0.1", ["192.0.2.1"], True),
        (None, ["192.0.2.1"], True),
    ],
)
def test_whether_a_proxy_is_believed(
    peer: str | None, forwarded: list[str], *, expected: bool
) -> None:
    assert is_ignored(peer, forwarded) is expected


@pytest.mark.parametrize(("trusted", "warnings"), [("192.0.2.99", 1), (TRUSTED, 0)])
def test_a_proxy_that_is_not_trusted_is_said_once(
    cluster: Cluster,
    migrated_template: str,
    caplog: pytest.LogCaptureFixture,
    trusted: str,
    warnings: int,
) -> None:
    """In production, where all its clients share the limits of one."""
    with cluster.database(migrated_template) as database:
        settings = settings_for(cluster.url(database), SIGN_IN_LIMITS="true", APP_ENV="prod")
        with serving(create_app(settings), forwarded_allow_ips=trusted) as client:
            for host in (HOME, STRANGER):
                client.post(
                    f"{AUTH}/login",
                    json={"email": EMAIL, "password": PASSWORD},
                    headers={"X-Forwarded-For": host},
                )
    said = [it for it in caplog.messages if "FORWARDED_ALLOW_IPS" in it]
    assert len(said) == warnings


def test_a_client_cannot_say_where_it_is(cluster: Cluster, migrated_template: str) -> None:
    """Only a proxy that is trusted is believed."""
    with limited_replicas(cluster, migrated_template, "192.0.2.99") as service:
        service.spend(*(f"203.0.113.{number}" for number in range(20)))
        assert service.send("login", EMAIL, PASSWORD, "203.0.113.200").status_code == 429
