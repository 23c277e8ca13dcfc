"""What providers describe themselves by: whatever cannot be used is refused, and never fails on our side."""

import json
from collections.abc import Mapping

import pytest

from shared.adapters.openid.provider import DescribedProviders
from shared.ports.openid import IdentityRefusedError
from shared.ports.outbound import OutboundAnswer

ISSUER = "https://login.example.com"
NESTED = b"[" * 100_000


class Answers:
    """An outbound client that gives these bodies, whatever the address."""

    def __init__(self, description: bytes, keys: bytes) -> None:
        self._description, self._keys = description, keys

    async def get(self, url: str) -> OutboundAnswer:
        return OutboundAnswer(200, self._description if ".well-known" in url else self._keys)

    async def post_form(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> OutboundAnswer:
        raise NotImplementedError(url, form, headers)


def described(jwks_uri: object) -> bytes:
    return json.dumps({"issuer": ISSUER, "jwks_uri": jwks_uri}).encode()


@pytest.mark.parametrize(
    ("description", "keys"),
    [
        (NESTED, b"{}"),
        (described("https://keys.example.com"), NESTED),
        (described("https://[keys"), b"{}"),
        (described(5), b"{}"),
        (described("https://keys.example.com"), b'{"keys": [1]}'),
        (described("https://keys.example.com"), b'{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}'),
    ],
    ids=["nested description", "nested keys", "half an address", "no address", "no keys", "no point on the curve"],
)
async def test_what_cannot_be_read_is_refused(description: bytes, keys: bytes) -> None:
    with pytest.raises(IdentityRefusedError):
        await DescribedProviders(Answers(description, keys)).check(ISSUER)
