"""The network address of a caller, as the proxies in front of the app tell it."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

UNKNOWN = "unknown"
_NETWORK_OF_ONE_CALLER = 64
"""Bits of an IPv6 address that tell callers apart: each has the rest to itself."""
_LONGEST_ADDRESS = 64
"""Characters, more than an address has: what is cut off there is none."""
_WITH_PORT = re.compile(r"\[(?P<six>[^\]]*)\](:\d+)?|(?P<four>[^:]*)(:\d+)?")


def client_address(headers: Mapping[str, str], trusted_hops: int) -> Address | None:
    """The address that the outermost trusted proxy saw; None where it cannot be read."""
    return address_in(forwarded_for(headers), trusted_hops)


def forwarded_for(headers: Mapping[str, str]) -> str:
    """What the proxies wrote, and whoever called them."""
    return headers.get("x-forwarded-for", "")


def address_in(addresses: str, trusted_hops: int) -> Address | None:
    """The one that the outermost trusted proxy wrote.

    Each proxy adds the address of whoever called it at the end of `X-Forwarded-For`, so the last `trusted_hops` entries
    are ours, and the caller wrote all before them. An IPv4 address in IPv6 is the IPv4 address.
    """
    forwarded = [entry.strip() for entry in addresses.split(",")]
    return _read(forwarded[-trusted_hops] if len(forwarded) >= trusted_hops else forwarded[0])


def _read(entry: str) -> Address | None:
    found = _WITH_PORT.fullmatch(entry)
    text = entry if found is None else found["six"] or found["four"] or ""
    return _address_of(text.partition("%")[0][:_LONGEST_ADDRESS])


def _address_of(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def network_of(address: Address | None) -> str:
    """What stands for one caller: an IPv4 address, or the /64 network of an IPv6 address."""
    if address is None:
        return UNKNOWN
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _NETWORK_OF_ONE_CALLER), strict=False))
    return str(address)
