"""Access tokens and the set of keys behind them: rotation, while some processes have not seen it yet."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest

from shared.adapters.secret_file.secrets import LocalSecrets
from shared.domain.access.signing_keys import KeySet
from shared.domain.kernel.errors import ConflictError, NotFoundError, UnauthenticatedError, UnavailableError
from shared.ports.secrets import LONGEST_STALE, NotAllowedError
from shared.services.access.tokens import Claims, Tokens
from shared.settings import Settings
from tests.doubles.fakes.settable_clock import SettableClock

NAME = "token-signing-keys"
LIFETIME = timedelta(minutes=30)
GRACE = LIFETIME + LONGEST_STALE
CLAIMS = Claims("usr_1", "org_1", ("owner",), "ses_1")


class KeptSecrets(LocalSecrets):
    """Gives what it read first until it is told to look again.

    So does the adapter of a remote vault for a while.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._kept: dict[str, str] = {}

    async def get(self, name: str) -> str:
        if name not in self._kept:
            self._kept[name] = await super().get(name)
        return self._kept[name]

    async def set_if_absent(self, name: str, value: str) -> str:
        self._kept[name] = await super().set_if_absent(name, value)
        return self._kept[name]

    def look_again(self) -> None:
        self._kept.clear()


class ReadableSecrets(LocalSecrets):
    """As the functions' identity has them on Azure."""

    async def set_if_absent(self, name: str, value: str) -> str:  # noqa: ARG002  the port's signature
        raise NotAllowedError(f"The vault refuses this identity the secret {name}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets.json"


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(datetime(2026, 11, 18, 10, tzinfo=UTC))


@pytest.fixture
def tokens(path: Path, clock: SettableClock) -> Tokens:
    return Tokens(LocalSecrets(path), clock, Settings())


@pytest.fixture
def kept(path: Path) -> KeptSecrets:
    return KeptSecrets(path)


@pytest.fixture
def behind(kept: KeptSecrets, clock: SettableClock) -> Tokens:
    """Those of a process that sees a rotation late."""
    return Tokens(kept, clock, Settings())


def kid(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


async def test_a_token_names_the_active_key_and_says_again_what_it_was_issued_for(tokens: Tokens) -> None:
    token = await tokens.issue(CLAIMS)
    assert kid(token) == (await tokens.keys.current()).active.kid
    assert await tokens.read(token) == CLAIMS


async def test_a_token_ends_with_its_lifetime(tokens: Tokens, clock: SettableClock) -> None:
    token = await tokens.issue(CLAIMS)
    clock.move(LIFETIME - timedelta(seconds=1))
    assert await tokens.read(token) == CLAIMS
    clock.move(timedelta(seconds=1))
    with pytest.raises(UnauthenticatedError, match="expired"):
        await tokens.read(token)


async def test_a_token_of_another_vaults_key_is_refused(tokens: Tokens, clock: SettableClock, tmp_path: Path) -> None:
    stranger = Tokens(LocalSecrets(tmp_path / "other.json"), clock, Settings())
    with pytest.raises(UnauthenticatedError):
        await tokens.read(await stranger.issue(CLAIMS))


async def test_a_token_that_only_claims_to_be_signed_with_our_key_is_refused(tokens: Tokens) -> None:
    ours = await tokens.issue(CLAIMS)
    payload = jwt.decode(ours, options={"verify_signature": False})
    forged = jwt.encode(payload, KeySet.generate().active.private, algorithm="EdDSA", headers={"kid": kid(ours)})
    with pytest.raises(UnauthenticatedError):
        await tokens.read(forged)


@pytest.mark.parametrize("token", ["", "a.b.c", "not a token"])
async def test_what_is_no_token_is_refused(tokens: Tokens, token: str) -> None:
    with pytest.raises(UnauthenticatedError):
        await tokens.read(token)


async def test_a_token_without_a_key_id_is_refused(tokens: Tokens) -> None:
    active = (await tokens.keys.current()).active
    payload = jwt.decode(await tokens.issue(CLAIMS), options={"verify_signature": False})
    with pytest.raises(UnauthenticatedError):
        await tokens.read(jwt.encode(payload, active.private, algorithm="EdDSA"))


async def test_rotation_makes_the_next_key_active_and_what_was_signed_before_stays_valid(tokens: Tokens) -> None:
    before, token = await tokens.keys.current(), await tokens.issue(CLAIMS)
    after = await tokens.keys.rotate()
    assert after.active == before.next
    assert after.next.kid not in {before.active.kid, before.next.kid}
    assert kid(await tokens.issue(CLAIMS)) == after.active.kid
    assert await tokens.read(token) == CLAIMS


async def test_before_and_after_a_rotation_processes_accept_each_others_tokens(tokens: Tokens, behind: Tokens) -> None:
    of_before = await behind.issue(CLAIMS)
    await tokens.keys.rotate()
    late, new = await behind.issue(CLAIMS), await tokens.issue(CLAIMS)
    assert kid(late) == kid(of_before) != kid(new)
    for token in (of_before, late, new):
        assert await tokens.read(token) == CLAIMS
        assert await behind.read(token) == CLAIMS


async def test_the_last_token_of_the_last_process_to_see_a_rotation_lives_its_whole_life(
    tokens: Tokens, behind: Tokens, kept: KeptSecrets, clock: SettableClock
) -> None:
    await behind.issue(CLAIMS)
    await tokens.keys.rotate()
    clock.move(LONGEST_STALE)
    last = await behind.issue(CLAIMS)
    kept.look_again()
    clock.move(LIFETIME - timedelta(seconds=1))
    assert await tokens.read(last) == CLAIMS
    assert await behind.read(last) == CLAIMS


async def test_a_retired_key_is_accepted_for_its_grace_only(tokens: Tokens, clock: SettableClock) -> None:
    """Even by a token that says that it lives longer."""
    retired = (await tokens.keys.current()).active
    payload = jwt.decode(await tokens.issue(CLAIMS), options={"verify_signature": False})
    payload["exp"] += 24 * 3600
    token = jwt.encode(payload, retired.private, algorithm="EdDSA", headers={"kid": retired.kid})
    await tokens.keys.rotate()
    clock.move(GRACE - timedelta(seconds=1))
    assert await tokens.read(token) == CLAIMS
    clock.move(timedelta(seconds=1))
    with pytest.raises(UnauthenticatedError, match="not in use"):
        await tokens.read(token)


async def test_a_second_rotation_waits_until_every_process_knows_the_key_it_makes_active(
    tokens: Tokens, behind: Tokens, clock: SettableClock
) -> None:
    await behind.issue(CLAIMS)
    first = await tokens.keys.rotate()
    clock.move(GRACE - timedelta(seconds=1))
    with pytest.raises(ConflictError, match="2026-11-18T11:30:00"):
        await tokens.keys.rotate()
    assert await tokens.keys.current() == first
    clock.move(timedelta(seconds=1))
    second = await tokens.keys.rotate()
    assert second.active == first.next
    assert [each.key.kid for each in second.retired] == [first.active.kid]


async def test_a_forced_rotation_keeps_what_was_signed_valid(tokens: Tokens) -> None:
    issued = [await tokens.issue(CLAIMS)]
    for _ in range(3):
        await tokens.keys.rotate(force=True)
        issued.append(await tokens.issue(CLAIMS))
    assert len({kid(token) for token in issued}) == 4
    for token in issued:
        assert await tokens.read(token) == CLAIMS


async def test_of_rotations_at_once_one_takes_place(path: Path, clock: SettableClock, tokens: Tokens) -> None:
    before = await tokens.keys.current()
    processes = [Tokens(LocalSecrets(path), clock, Settings()) for _ in range(5)]
    outcomes = await asyncio.gather(*(each.keys.rotate() for each in processes), return_exceptions=True)
    (rotated,) = (outcome for outcome in outcomes if not isinstance(outcome, ConflictError))
    assert await tokens.keys.current() == rotated
    assert (await tokens.keys.current()).active == before.next


async def test_a_rotation_from_what_is_out_of_date_is_refused(tokens: Tokens, behind: Tokens) -> None:
    await behind.keys.current()
    rotated = await tokens.keys.rotate()
    with pytest.raises(ConflictError):
        await behind.keys.rotate()
    assert await tokens.keys.current() == rotated


async def test_no_private_half_of_a_retired_key_is_kept(tokens: Tokens, path: Path) -> None:
    before = await tokens.keys.current()
    await tokens.keys.rotate()
    text = await LocalSecrets(path).get(NAME)
    assert str(before.next.d) in text
    assert str(before.active.d) not in text
    assert before.active.x in text


async def test_keys_are_json_web_keys(tokens: Tokens, path: Path) -> None:
    """As another implementation reads them.

    So their public halves can be published as they are.
    """
    token = await tokens.issue(CLAIMS)
    kept = json.loads(await LocalSecrets(path).get(NAME))
    assert set(kept) == {"next", "active", "retired"}
    public = {member: kept["active"][member] for member in ("kty", "crv", "x", "kid")}
    read = jwt.decode(token, jwt.PyJWK(public, algorithm="EdDSA"), audience="xyra-api", options={"verify_exp": False})
    assert read["sub"] == CLAIMS.user_id


async def test_what_was_never_made_cannot_be_rotated(tokens: Tokens) -> None:
    with pytest.raises(NotFoundError):
        await tokens.keys.rotate()


async def test_who_may_not_make_keys_is_told_what_does(path: Path, clock: SettableClock, tokens: Tokens) -> None:
    functions = Tokens(ReadableSecrets(path), clock, Settings())
    with pytest.raises(UnavailableError, match="python -m cli setup"):
        await functions.issue(CLAIMS)
    assert await tokens.keys.ensure()
    assert await tokens.read(await functions.issue(CLAIMS)) == CLAIMS


@pytest.mark.parametrize("text", ["", "{}", "-----BEGIN PRIVATE KEY-----", '{"active": {"kid": "1", "x": "hush"}}'])
async def test_a_secret_that_is_no_set_of_keys_is_an_outage_and_stays_as_it_is(
    tokens: Tokens, path: Path, text: str
) -> None:
    secrets = LocalSecrets(path)
    await secrets.set_if_absent(NAME, text)
    for act in (tokens.keys.ensure, tokens.keys.rotate, lambda: tokens.issue(CLAIMS)):
        with pytest.raises(UnavailableError) as raised:
            await act()
        assert "hush" not in f"{raised.value} {raised.value.__cause__}"
    assert await secrets.get(NAME) == text
