"""What counts as one network, as a table."""

import pytest

from backend.api.network import network_of


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", "unknown"),
        ("a name", "unknown"),
        (None, "unknown"),
    ],
)
def test_the_network_of_a_client(host: str | None, network: str) -> None:
    """Of IPv6 it is the part that a provider gives to one customer."""
    assert network_of(host) == network
