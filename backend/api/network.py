"""The network of a client: all addresses that one person can easily use count as one network."""

from ipaddress import IPv6Address, ip_address

_HOST_BITS = 64
"""Bits of an IPv6 address that a client chooses freely: a client gets a whole /64 (RFC 6177)."""


def network_of(host: str | None) -> str:
    """Return the client's IPv4 address, or the first 64 bits of an IPv6 address; else "unknown"."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return "unknown"
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> _HOST_BITS << _HOST_BITS)}/64"
