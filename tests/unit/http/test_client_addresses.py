"""Whose request it is, by the part of `X-Forwarded-For` that can be trusted."""

import pytest

from shared.http.client_addresses import UNKNOWN, client_address, network_of


def caller(forwarded: str, hops: int = 1) -> str:
    return network_of(client_address({"x-forwarded-for": forwarded}, hops))


@pytest.mark.parametrize(
    ("forwarded", "known_as"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:50123", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2:ffff::1]:50123", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("[::ffff:203.0.113.7]:443", "203.0.113.7"),
        ("", UNKNOWN),
        ("unknown", UNKNOWN),
        ("203.0.113.7, _hidden", UNKNOWN),
        ("203.0.113.999", UNKNOWN),
    ],
)
def test_an_address_is_known_without_its_port_and_ipv6_by_its_network(forwarded: str, known_as: str):
    assert caller(forwarded) == known_as


def test_what_a_caller_wrote_is_not_looked_at():
    assert caller("198.51.100.1, 203.0.113.7:1") == caller("198.51.100.2, 203.0.113.7:2") == "203.0.113.7"


@pytest.mark.parametrize(("hops", "known_as"), [(1, "192.0.2.3"), (2, "192.0.2.2"), (3, "192.0.2.1"), (4, "192.0.2.1")])
def test_each_trusted_hop_adds_an_entry_at_the_end(hops: int, known_as: str):
    assert caller("192.0.2.1, 192.0.2.2:81, 192.0.2.3", hops) == known_as


def test_without_the_header_nobody_is_known():
    assert network_of(client_address({}, 1)) == UNKNOWN
