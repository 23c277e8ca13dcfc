"""Which addresses are gone to because a user says so."""

from ipaddress import ip_address

import pytest

from shared.adapters.outbound.addresses import is_public

REFUSED = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "0.0.0.0", "255.255.255.255"),  # noqa: S104  refused
    *("169.254.169.254", "168.63.129.16", "100.64.0.1", "100.127.255.254", "198.18.0.1", "192.0.2.1"),
    *("224.0.0.1", "240.0.0.1", "192.88.99.1"),
    *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001:db8::1", "3fff::1"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1"),
    *("64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1"),
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",  # Teredo for 10.0.0.1
]
TAKEN = ["1.1.1.1", "8.8.8.8", "20.190.151.7", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::8.8.8.8"]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_on_the_public_internet_is_refused(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", TAKEN)
def test_what_is_public_is_taken(text: str) -> None:
    assert is_public(ip_address(text))
