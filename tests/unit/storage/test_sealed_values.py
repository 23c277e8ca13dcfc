"""Sealed values: what they are bound to, and what a rotation does to them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from shared.adapters.secret_file.secrets import LocalSecrets
from shared.containers import TENANTS
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError
from shared.domain.kernel.key_rings import KeyRing, UnsealableError
from shared.ports.secrets import LONGEST_STALE
from shared.services.storage import Records
from shared.services.storage.sealed_values import SealedValues
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock

SECRET = "whsec_of the organization's, with ümlaut"
PLACE = {"organization_id": "org_1", "field": "webhooks.secret:whe_1"}
SETTLED = LONGEST_STALE + timedelta(minutes=6)


class Webhook(Entity):
    kind: ClassVar[str] = "webhook"
    secret: str


@dataclass
class Vault:
    """A vault, and processes that look into it. One that was made before a rotation may not have seen it."""

    path: Path
    clock: SettableClock = field(default_factory=lambda: SettableClock(datetime(2026, 11, 30, 12, tzinfo=UTC)))

    def process(self) -> SealedValues:
        return SealedValues(LocalSecrets(self.path), self.clock)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "secrets.json")


async def test_what_is_sealed_opens_in_any_process(vault: Vault) -> None:
    sealed = await vault.process().seal(SECRET, **PLACE)
    assert "whsec" not in sealed
    assert await vault.process().unseal(sealed, **PLACE) == SECRET


async def test_the_same_value_is_never_sealed_to_the_same_text(vault: Vault) -> None:
    sealed = {await vault.process().seal(SECRET, **PLACE) for _ in range(50)}
    assert len(sealed) == 50


@pytest.mark.parametrize(
    "other",
    [
        {"organization_id": "org_2", "field": PLACE["field"]},
        {"organization_id": "org_1", "field": "webhooks.secret:whe_2"},
        {"organization_id": "org_1webhooks", "field": ".secret:whe_1"},
        {"organization_id": 'org_1","webhooks.secret:whe_1', "field": ""},
    ],
)
async def test_in_another_place_it_opens_nothing(vault: Vault, other: dict[str, str]) -> None:
    sealed = await vault.process().seal(SECRET, **PLACE)
    with pytest.raises(UnsealableError):
        await vault.process().unseal(sealed, **other)


async def test_altered_anywhere_it_opens_nothing(vault: Vault) -> None:
    sealed = await vault.process().seal("short", **PLACE)
    for position, character in enumerate(sealed):
        altered = sealed[:position] + ("A" if character != "A" else "B") + sealed[position + 1 :]
        with pytest.raises(UnsealableError):
            await vault.process().unseal(altered, **PLACE)
    for cut in (sealed[:-1], sealed + "AAAA", "", ".", sealed.partition(".")[2], sealed.partition(".")[0] + "."):
        with pytest.raises(UnsealableError):
            await vault.process().unseal(cut, **PLACE)


async def test_a_process_that_has_not_seen_a_rotation_opens_what_others_seal_and_the_other_way_round(
    vault: Vault,
) -> None:
    behind = SealedValues(StaleSecrets(vault.path), vault.clock)
    before = await behind.seal(SECRET, **PLACE)
    rotation = await vault.process().rotate()
    ahead = vault.process()
    after = await ahead.seal(SECRET, **PLACE)
    assert after.startswith(f"{rotation.active}.")
    assert await behind.unseal(after, **PLACE) == SECRET
    assert await ahead.unseal(before, **PLACE) == SECRET
    assert await ahead.unseal(await behind.seal(SECRET, **PLACE), **PLACE) == SECRET


class StaleSecrets(LocalSecrets):
    """Gives for good what it read first, as a vault's adapter does for up to an hour."""

    _kept: str | None = None

    async def set_if_absent(self, name: str, value: str) -> str:
        self._kept = self._kept or await super().set_if_absent(name, value)
        return self._kept

    async def get(self, name: str) -> str:
        self._kept = self._kept or await super().get(name)
        return self._kept


async def test_rotations_are_an_hour_apart(vault: Vault) -> None:
    with pytest.raises(NotFoundError):
        await vault.process().rotate()
    await vault.process().ensure()
    first = await vault.process().rotate()
    with pytest.raises(ConflictError, match="2026-11-30T13:05"):
        await vault.process().rotate()
    second = await vault.process().rotate(force=True)
    assert (second.active, len(second.earlier)) == (first.next, 2)
    vault.clock.move(SETTLED)
    assert (await vault.process().rotate()).active == second.next


async def test_rotation_seals_again_and_forgets_the_earlier_keys(vault: Vault) -> None:
    store = MemoryStore()
    webhooks = Records(store, TENANTS, Webhook)
    operator = vault.process()
    for number in range(3):
        sealed = await operator.seal(SECRET, organization_id="org_1", field=f"webhooks.secret:{number}")
        await webhooks.create("org_1", Webhook(id=f"{number}", secret=sealed))

    async def again() -> int:
        count = 0
        async for stored in webhooks.all("org_1"):
            webhook = stored.entity
            resealed = await operator.resealed(
                webhook.secret, organization_id="org_1", field=f"webhooks.secret:{webhook.id}"
            )
            if resealed is not None:
                await webhooks.write("org_1", stored, webhook.changed(secret=resealed))
                count += 1
        return count

    operator.register("webhooks", again)
    rotation = await operator.rotate()
    with pytest.raises(ConflictError):
        await operator.reseal()
    vault.clock.move(SETTLED)
    assert await operator.reseal() == {"webhooks": 3}
    assert await operator.reseal() == {"webhooks": 0}
    secrets = [stored.entity async for stored in webhooks.all("org_1")]
    assert {webhook.secret.partition(".")[0] for webhook in secrets} == {rotation.active}
    for webhook in secrets:
        opened = await vault.process().unseal(
            webhook.secret, organization_id="org_1", field=f"webhooks.secret:{webhook.id}"
        )
        assert opened == SECRET
    ring = KeyRing.model_validate_json(await LocalSecrets(vault.path).get("sealing-keys"))
    assert ring.earlier == ()


async def test_what_was_sealed_under_a_forgotten_key_opens_nothing(vault: Vault) -> None:
    operator = vault.process()
    sealed = await operator.seal(SECRET, **PLACE)
    await operator.rotate()
    vault.clock.move(SETTLED)
    await operator.reseal()
    with pytest.raises(UnsealableError, match="not in the ring"):
        await vault.process().unseal(sealed, **PLACE)


async def test_a_secret_that_is_no_ring_is_an_outage_and_is_not_shown(vault: Vault) -> None:
    await LocalSecrets(vault.path).set_if_absent("sealing-keys", '{"active": "something secret"}')
    with pytest.raises(UnavailableError) as raised:
        await vault.process().seal(SECRET, **PLACE)
    assert "something secret" not in f"{raised.value} {raised.value.__cause__}"


async def test_keys_do_not_show_in_their_own_texts(vault: Vault) -> None:
    await vault.process().ensure()
    ring = KeyRing.model_validate_json(await LocalSecrets(vault.path).get("sealing-keys"))
    assert ring.active.secret not in f"{ring!r} {ring}"
