"""The first-run step and rotation on Key Vault: an identity sets the secrets, the functions may only read them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from cli.setup import Patience, set_up
from shared.bootstrap import Application, Ports
from shared.domain.kernel.errors import ConflictError, UnavailableError
from shared.domain.kernel.key_rings import UnsealableError
from shared.ports.secrets import LONGEST_STALE, NotAllowedError
from shared.services.access.tokens import Claims
from shared.settings import Settings
from tests.contract.test_key_vault import connect
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.quick_passwords import hash_quickly
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.fakes.settable_seconds import SettableSeconds
from tests.doubles.servers.key_vault_server import KeyVaultServer

OPERATOR = ("ada@example.com", "a password of ours")
SETTINGS = Settings(operator_email=OPERATOR[0], operator_password=OPERATOR[1])
CLAIMS = Claims("usr_1", None, ("system",), "ses_1")
LIFETIME = timedelta(minutes=SETTINGS.access_token_minutes)
FRESH = timedelta(minutes=10)
"""For so long a value of the vault is used without asking again."""


@dataclass
class Deployment:
    """A vault, a store, and processes whose time passes at once."""

    vault: KeyVaultServer
    connections: AsyncExitStack
    store: MemoryStore = field(default_factory=MemoryStore)
    clock: SettableClock = field(default_factory=lambda: SettableClock(datetime(2026, 11, 18, 10, tzinfo=UTC)))
    seconds: SettableSeconds = field(default_factory=SettableSeconds)

    def process(self) -> Application:
        secrets = connect(self.vault, self.seconds)
        self.connections.push_async_callback(secrets.close)
        return Application(Ports(self.store, MemoryQueue(), self.clock, secrets), SETTINGS)

    async def set_up_long_ago(self) -> Application:
        """By an operator; what was set is too old to be waited for."""
        operator = self.process()
        await set_up(operator, Patience())
        for versions in self.vault.secrets.values():
            versions[0].created -= 3600
        return operator

    def pass_time(self, time: timedelta) -> None:
        self.clock.move(time)
        self.seconds.advance(time.total_seconds())


@pytest.fixture(autouse=True)
def _quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    hash_quickly(monkeypatch)


@pytest.fixture
async def deployment(vault: KeyVaultServer) -> AsyncIterator[Deployment]:
    async with AsyncExitStack() as connections:
        yield Deployment(vault, connections)


def kid(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


async def test_functions_that_may_only_read_work_after_setup(deployment: Deployment) -> None:
    functions = deployment.process()
    deployment.vault.may_set = False
    with pytest.raises(UnavailableError, match="python -m cli setup"):
        await functions.tokens.issue(CLAIMS)
    deployment.vault.may_set = True
    await set_up(deployment.process(), Patience())
    deployment.vault.may_set = False
    signed_in = await functions.accounts.sign_in(*OPERATOR, None)
    assert (await deployment.process().tokens.read(signed_in.access_token)).roles == ("system",)


async def test_setup_again_sets_nothing(deployment: Deployment) -> None:
    await set_up(deployment.process(), Patience())
    deployment.vault.may_set = False
    await set_up(deployment.process(), Patience())
    versions_of = {name: len(versions) for name, versions in deployment.vault.secrets.items()}
    assert versions_of == dict.fromkeys(
        ("token-signing-keys", "refresh-token-key", "mailed-link-key", "sealing-keys", "audit-keys"), 1
    )


async def test_setup_twice_at_once_makes_one_set_of_keys_that_all_use(deployment: Deployment) -> None:
    processes = [deployment.process() for _ in range(2)]
    deployment.vault.let_meet(2)
    await asyncio.gather(*(set_up(process, Patience()) for process in processes))
    assert len(deployment.vault.secrets["token-signing-keys"]) == 2
    issued = [await process.tokens.issue(CLAIMS) for process in processes]
    assert len({kid(token) for token in issued}) == 1


async def test_without_the_right_to_set_secrets_setup_says_so(deployment: Deployment) -> None:
    deployment.vault.may_set = False
    with pytest.raises(NotAllowedError):
        await set_up(deployment.process(), Patience())
    assert deployment.vault.secrets == {}


async def test_a_rotation_is_picked_up_by_running_processes_and_refuses_no_token(deployment: Deployment) -> None:
    operator = await deployment.set_up_long_ago()
    slow, quick = deployment.process(), deployment.process()
    old = await slow.tokens.issue(CLAIMS)
    await operator.tokens.keys.rotate()
    new, late = await quick.tokens.issue(CLAIMS), await slow.tokens.issue(CLAIMS)
    assert kid(old) == kid(late) != kid(new)
    for process in (slow, quick):
        for token in (old, late, new):
            assert await process.tokens.read(token) == CLAIMS
    deployment.pass_time(FRESH)
    assert kid(await slow.tokens.issue(CLAIMS)) == kid(new)
    assert await slow.tokens.read(late) == CLAIMS


async def test_a_process_that_the_vault_leaves_alone_is_never_two_rotations_behind(deployment: Deployment) -> None:
    operator = await deployment.set_up_long_ago()
    alone = deployment.process()
    await alone.tokens.issue(CLAIMS)
    await operator.tokens.keys.rotate()
    deployment.vault.is_down = True
    deployment.pass_time(LONGEST_STALE - timedelta(seconds=1))
    last = await alone.tokens.issue(CLAIMS)
    deployment.vault.is_down = False
    with pytest.raises(ConflictError):
        await deployment.process().tokens.keys.rotate()
    deployment.pass_time(LIFETIME - timedelta(seconds=1))
    with pytest.raises(ConflictError):
        await deployment.process().tokens.keys.rotate()
    assert await deployment.process().tokens.read(last) == CLAIMS
    deployment.pass_time(timedelta(seconds=2))
    await deployment.process().tokens.keys.rotate()
    assert await alone.tokens.read(await deployment.process().tokens.issue(CLAIMS)) == CLAIMS


PLACE = {"organization_id": "org_1", "field": "webhooks.secret:whe_1"}


async def test_functions_seal_under_the_keys_of_setup_and_make_none(deployment: Deployment) -> None:
    functions = deployment.process()
    deployment.vault.may_set = False
    with pytest.raises(UnavailableError, match="python -m cli setup"):
        await functions.sealed_values.seal("secret", **PLACE)
    deployment.vault.may_set = True
    await deployment.set_up_long_ago()
    deployment.vault.may_set = False
    sealed = await functions.sealed_values.seal("secret", **PLACE)
    assert await deployment.process().sealed_values.unseal(sealed, **PLACE) == "secret"


async def test_a_rotation_of_the_sealing_keys_closes_nothing_until_all_is_sealed_again(deployment: Deployment) -> None:
    operator = await deployment.set_up_long_ago()
    slow, quick = deployment.process(), deployment.process()
    old = await slow.sealed_values.seal("secret", **PLACE)
    await operator.sealed_values.rotate()
    new, late = [await process.sealed_values.seal("secret", **PLACE) for process in (quick, slow)]
    assert key_id(old) == key_id(late) != key_id(new)
    for process in (slow, quick):
        for sealed in (old, late, new):
            assert await process.sealed_values.unseal(sealed, **PLACE) == "secret"
    with pytest.raises(ConflictError):
        await operator.sealed_values.reseal()
    deployment.pass_time(LONGEST_STALE + timedelta(minutes=6))
    await deployment.process().sealed_values.reseal()
    later = deployment.process().sealed_values
    assert await later.unseal(new, **PLACE) == "secret"
    with pytest.raises(UnsealableError):
        await later.unseal(old, **PLACE)


def key_id(sealed: str) -> str:
    return sealed.partition(".")[0]
