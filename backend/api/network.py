"""The network that a request comes from: what one person can easily have is one."""

from ipaddress import IPv6Address, ip_address

_HOST_BITS = 64
"""Of an IPv6 address: whoever has one has all of them (RFC 6177)."""


def network_of(host: str | None) -> str:
    """Return the address of a client, and of IPv6 only the first 64 bits; "unknown" for none."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return "unknown"
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> _HOST_BITS << _HOST_BITS)}/64"
