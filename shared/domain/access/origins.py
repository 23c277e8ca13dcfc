"""Where a request comes from, as much of it as is kept and shown."""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network

_BITS_SHOWN = {4: 24, 6: 48}
_LONGEST_AGENT = 400
"""Characters of a `User-Agent` that are looked at."""
_BROWSERS = (
    ("Edge", re.compile(r"\bEdgA?/")),
    ("Opera", re.compile(r"\bOPR/")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"\b(?:HeadlessChrome|Chrome|CriOS)/")),
    ("Safari", re.compile(r"\bSafari/")),
)
"""The first that matches: most browsers name others, too."""
_SYSTEMS = (
    ("Windows", re.compile(r"\bWindows\b")),
    ("iPhone", re.compile(r"\biPhone\b")),
    ("iPad", re.compile(r"\biPad\b")),
    ("Android", re.compile(r"\bAndroid\b")),
    ("macOS", re.compile(r"\bMac OS X\b")),
    ("ChromeOS", re.compile(r"\bCrOS\b")),
    ("Linux", re.compile(r"\bLinux\b")),
)
_COUNTRY = re.compile(r"[A-Z]{2}")
_NO_COUNTRY = "XX"
_PROGRAM = re.compile(r"[A-Za-z][A-Za-z0-9 ._-]{0,30}(?=/|$)")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a session was begun or refreshed."""

    device: str | None = None
    """The browser and the system, or the program."""
    ip: str | None = None
    """The network, without the part that names a single connection."""
    location: str | None = None
    """The country, ISO 3166-1 alpha-2."""


UNKNOWN_ORIGIN = Origin()


@lru_cache(1_000)
def masked(address: IPv4Address | IPv6Address | None) -> str | None:
    """The network that an address belongs to, such as `203.0.113.0/24`."""
    if address is None:
        return None
    return str(ip_network((address, _BITS_SHOWN[address.version]), strict=False))


def country_of(text: str) -> str | None:
    """The country of a header's value; None for what stands for no country."""
    code = text.strip().upper()
    return code if _COUNTRY.fullmatch(code) and code != _NO_COUNTRY else None


def device_of(user_agent: str) -> str | None:
    """What to call the device of a `User-Agent`, such as `Firefox on Windows`; None where it says nothing."""
    text = user_agent[:_LONGEST_AGENT]
    browser = next((name for name, sign in _BROWSERS if sign.search(text)), None)
    system = next((name for name, sign in _SYSTEMS if sign.search(text)), None)
    if browser is not None:
        return browser if system is None else f"{browser} on {system}"
    program = _PROGRAM.match(text)
    return program[0].strip() if program is not None else system
