"""Clients that check access tokens by the published keys, while those are rotated twice."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from tests.doubles.clients import command_line
from tests.doubles.clients.hosts import NOW, Served
from tests.doubles.clients.xyra_client import PASSWORD, Answer, Xyra
from tests.doubles.clients.xyra_process import XyraProcess

LIFETIME = timedelta(minutes=30)
GRACE = LIFETIME + timedelta(hours=1)
"""Between rotations, and as long as tokens of a retired key are taken."""


class Verifier:
    """Checks tokens by itself. It asks for the keys again only with the ETag that it has."""

    def __init__(self, xyra: Xyra) -> None:
        self._xyra = xyra
        self._etag = ""
        self.keys: dict[str, Any] = {}

    async def ask(self) -> Answer:
        headers = {"If-None-Match": self._etag} if self._etag else {}
        answer = await self._xyra.anonymous.send("GET", "/.well-known/jwks.json", headers=headers)
        assert answer.headers["Cache-Control"] == "public, max-age=300"
        if answer.status == 200:
            self._etag = answer.headers["ETag"]
            self.keys = {key["kid"]: jwt.PyJWK(key).key for key in answer.json()["keys"]}
        return answer

    def check(self, token: str) -> str:
        """The id of the key that signed it. Raises where it is not a token of Xyra's."""
        kid = str(jwt.get_unverified_header(token)["kid"])
        options = {"verify_exp": False, "verify_iat": False}  # by the machine's clock; the test has one of its own
        jwt.decode(token, self.keys[kid], ["EdDSA"], options, audience="xyra-api", issuer="xyra")
        return kid


async def test_keys_are_rotated_twice_and_no_token_fails_before_its_time(
    new_process: Callable[..., XyraProcess],
) -> None:
    process = new_process()
    served = await Served.by(process)
    rotating = {"XYRA_DATA_DIR": str(process.data_dir), "XYRA_CLOCK_FILE": str(process.clock_file)}
    async with served.clients() as xyra:
        email = (await xyra.sign_up())["user"]["email"]
        verifier = Verifier(xyra)
        (await verifier.ask()).expect(200)
        assert (await verifier.ask()).status == 304
        signed_by = set()
        for turn in range(3):
            now = NOW + turn * (GRACE + timedelta(minutes=5))
            process.set_clock(now)
            await verifier.ask()  # keys retired long ago are gone
            before = await token(xyra, email)
            signed_by.add(verifier.check(before))
            if turn < 2:
                rotated = await asyncio.to_thread(command_line.run, "keys", "rotate", **rotating)
                assert rotated.returncode == 0, rotated.stderr
            after = await token(xyra, email)
            verifier.check(after)  # by the keys as they were before: the next one was among them
            changed = await verifier.ask()
            assert changed.status == (200 if turn < 2 else 304)
            for each in (before, after):
                verifier.check(each)
                await xyra.bearing(each).get("auth/me")
            ends = sorted(end_of(each) for each in (before, after))
            process.set_clock(ends[0] - timedelta(minutes=2))  # the clock runs on while the host answers
            for each in (before, after):
                await xyra.bearing(each).get("auth/me")
            process.set_clock(ends[-1])
            for each in (before, after):
                (await xyra.bearing(each).send("GET", "auth/me")).problem(401, "unauthenticated")
        assert len(signed_by) == 3


def end_of(token: str) -> datetime:
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == LIFETIME.total_seconds()
    return datetime.fromtimestamp(claims["exp"], UTC)


async def token(xyra: Xyra, email: str) -> str:
    form = {"username": email, "password": PASSWORD}
    return str((await xyra.anonymous.send("POST", "auth/login", form=form)).expect(200)["access_token"])


async def test_the_keys_are_public_halves_only(xyra: Xyra) -> None:
    answer = await xyra.anonymous.send("GET", "/.well-known/jwks.json")
    keys = answer.expect(200)["keys"]
    assert len({key["kid"] for key in keys}) == len(keys) >= 2
    for key in keys:
        assert set(key) == {"kid", "kty", "crv", "x", "use", "alg"}
        assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("OKP", "Ed25519", "sig", "EdDSA")


@pytest.mark.parametrize("known", ["{etag}", "W/{etag}", '"other", {etag}', "*"])
async def test_who_has_the_keys_already_is_told_so(xyra: Xyra, known: str) -> None:
    etag = (await xyra.anonymous.send("GET", "/.well-known/jwks.json")).headers["ETag"]
    headers = {"If-None-Match": known.format(etag=etag)}
    answer = await xyra.anonymous.send("GET", "/.well-known/jwks.json", headers=headers)
    assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", etag)
    headers = {"If-None-Match": '"other"'}
    assert (await xyra.anonymous.send("GET", "/.well-known/jwks.json", headers=headers)).status == 200
