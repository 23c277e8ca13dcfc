"""A sweep that reads late."""

import asyncio
from contextlib import suppress

from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.accounts import ACCOUNT, AddressClaim, Membership, address_partition, user_partition
from shared.services.storage import Stored
from tests.doubles.fakes import virtual_time
from tests.doubles.fakes.fault_in_turn import Fault, Script
from tests.doubles.worlds.invoiced_organization import NOW, Scene
from tests.faults.in_turn.access import ADA, assert_signed_up, signing_up


def test_a_sweep_that_lags_behind_undoes_nothing_that_came_later() -> None:
    virtual_time.run(completed_late())


async def completed_late() -> None:
    """The sweep was shown a sign-up as it was before it was complete."""
    scene = await Scene.prepared()
    with suppress(asyncio.CancelledError):
        await scene.host(Script(1, Fault.DIES_AFTER)).accounts.sign_up(signing_up(ADA))
    item = await scene.store.get(DIRECTORY.name, address_partition(ADA), ACCOUNT)
    assert item is not None
    begun = Stored(AddressClaim.read(item.document), item.etag)
    await scene.host().accounts.complete_due(begun)
    account = await assert_signed_up(scene)
    disabled = account.changed(status="disabled").document()
    await scene.store.upsert(DIRECTORY.name, user_partition(account.user_id), disabled)
    member = Membership(id=account.user_id, role="viewer", joined_at=NOW).document()
    await scene.store.upsert(TENANTS.name, account.organization_ids[0], member)
    await scene.host().accounts.complete_due(begun)
    kept = await scene.store.get(DIRECTORY.name, user_partition(account.user_id), ACCOUNT)
    assert kept is not None
    assert kept.document == disabled
    assert await scene.documents(TENANTS.name, account.organization_ids[0], Membership.kind) == [member]
