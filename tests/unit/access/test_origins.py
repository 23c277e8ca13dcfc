"""What a session shows of where it comes from."""

from ipaddress import ip_address

import pytest

from shared.domain.access.origins import country_of, device_of, masked

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"  # noqa: E501  as it is sent


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        (CHROME, "Chrome on Windows"),
        (f"{CHROME} Edg/142.0.0.0", "Edge on Windows"),
        (IPHONE, "Safari on iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
        ("curl/8.5.0", "curl"),
        ("Python/3.11 aiohttp/3.14", "Python"),
        ("", None),
        ("<script>alert(1)</script>", None),
        ("x" * 100_000, None),
    ],
)
def test_the_device_is_named_by_browser_and_system_or_program(user_agent: str, device: str | None) -> None:
    assert device_of(user_agent) == device


@pytest.mark.parametrize(
    ("address", "shown"),
    [("203.0.113.77", "203.0.113.0/24"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"), ("::1", "::/48")],
)
def test_an_address_is_shown_without_the_part_that_names_a_connection(address: str, shown: str) -> None:
    assert masked(ip_address(address)) == shown
    assert masked(None) is None


@pytest.mark.parametrize(("text", "country"), [("AT", "AT"), (" de ", "DE"), ("XX", None), ("T1", None), ("", None)])
def test_a_country_is_two_letters(text: str, country: str | None) -> None:
    assert country_of(text) == country
