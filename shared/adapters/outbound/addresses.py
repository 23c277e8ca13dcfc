"""Which addresses are somebody else's, and may be gone to because a user says so."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_REFUSED: Sequence[Network] = tuple(
    map(
        ip_network,
        (
            "168.63.129.16/32",  # Azure's own services for a machine; public by its number
            "192.88.99.0/24",  # 6to4 relays
            "64:ff9b:1::/48",  # translated to private IPv4
            "3fff::/20",  # documentation
        ),
    )
)
_TRANSLATED = ip_network("64:ff9b::/96")
"""IPv6 addresses that stand for an IPv4 address (RFC 6052)."""
_IPV4_BITS = 0xFFFFFFFF


def is_public(address: Address) -> bool:
    """Whether it is on the public Internet: not private, link-local, shared, reserved, multicast or of the platform.

    An address that stands for another one, as mapped and translated ones do, is as that is.
    """
    meant = _meant(address)
    if meant != address:
        return is_public(meant)
    if any(address.version == network.version and address in network for network in _REFUSED):
        return False
    is_site_local = isinstance(address, IPv6Address) and address.is_site_local
    return address.is_global and not address.is_multicast and not address.is_reserved and not is_site_local


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, or itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _TRANSLATED:
        return IPv4Address(int(address) & _IPV4_BITS)
    return address


def read_address(text: str) -> Address | None:
    """None for what is no address, as a name of a host."""
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None
