"""Machines of an organization: how many there may be, how long they are listed, and with whom they stop."""

import asyncio
from datetime import timedelta

import pytest

from shared.containers import TENANTS
from shared.domain.access.identity import Permission, Principal
from shared.domain.access.service_accounts import LISTED_AFTER_EXPIRY, ServiceAccount
from shared.domain.access.workload_clients import MAXIMUM_CLIENTS, ClientCount, WorkloadClient
from shared.domain.kernel.errors import ConflictError
from shared.domain.kernel.ids import new_id
from shared.services.access.api_keys import ApiKeyDraft
from shared.services.access.service_accounts import TokenRequest
from shared.services.storage import Records
from tests.doubles.worlds.invoiced_organization import NOW
from tests.doubles.worlds.mailed_user import MailedUser
from tests.doubles.worlds.signed_up_user import PASSWORD, SignedUpUser

SCOPES = (Permission.EVENTS_WRITE, Permission.SERVICE_ACCOUNTS_WRITE)
WANTED = TokenRequest(None, None, "tests")


async def catalog(user: SignedUpUser) -> None:
    account = ServiceAccount(
        id="reporter", scopes=SCOPES, default_minutes=60, maximum_minutes=600, tenant_bound=True, created_at=NOW
    )
    await user.host.service_accounts.put(account, None)


async def principal(user: SignedUpUser) -> Principal:
    token = (await user.sign_in()).access_token
    return await user.host.authentication.authenticate(token, for_events=False)


def client(user: SignedUpUser) -> WorkloadClient:
    return WorkloadClient(
        id=new_id("sac"),
        service_account="reporter",
        organization_id=user.organization_id,
        created_at=NOW,
        created_by=user.account.user_id,
    )


@pytest.mark.parametrize("is_counted", [True, False], ids=["counted", "of before"])
async def test_of_many_clients_at_once_no_more_are_added_than_there_may_be(
    ada: SignedUpUser, *, is_counted: bool
) -> None:
    await catalog(ada)
    by, owner = await principal(ada), ada.organization_id
    clients = Records(ada.host.audited_store, TENANTS, WorkloadClient)
    for _ in range(MAXIMUM_CLIENTS - 2):
        await clients.ensure(owner, client(ada))
    if is_counted:
        counts = Records(ada.host.audited_store, TENANTS, ClientCount)
        await counts.ensure(owner, ClientCount(number=MAXIMUM_CLIENTS - 2))
    hosts = (ada.host, ada.other_host)
    adding = [hosts[number % 2].workload_clients.add(client(ada), by) for number in range(6)]
    done = await asyncio.gather(*adding, return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["ConflictError"] * 4 + ["WorkloadClient"] * 2
    added = [each for each in done if isinstance(each, WorkloadClient)]
    assert len([each async for each, _ in clients.all(owner)]) == MAXIMUM_CLIENTS

    await ada.host.workload_clients.remove(owner, added[0].id)
    again = client(ada)
    await ada.host.workload_clients.add(again, by)
    assert await ada.host.workload_clients.add(again, by) == again  # a repeated call
    with pytest.raises(ConflictError):
        await ada.host.workload_clients.add(client(ada), by)


async def test_a_token_whose_expiry_was_cut_is_listed_no_longer_than_others(ada: SignedUpUser) -> None:
    await catalog(ada)
    by, owner = await principal(ada), ada.organization_id
    soon = NOW + timedelta(minutes=10)
    draft = ApiKeyDraft(name="Short", scopes=SCOPES, expires_at=soon)
    _, token = await ada.host.api_keys.create(new_id("key"), owner, draft, by)
    assert token is not None
    key = await ada.host.authentication.authenticate(token, for_events=False)
    listed = (await ada.host.service_accounts.issue("reporter", owner, WANTED, key)).listed
    assert listed.expires_at == soon
    assert listed.ttl == int((soon + LISTED_AFTER_EXPIRY - NOW).total_seconds())


async def test_what_was_made_before_an_address_was_proven_stops_with_the_proof(mailed: MailedUser) -> None:
    """Whoever signed up may be somebody else than who has the mailbox."""
    await catalog(mailed)
    by, owner, host = await principal(mailed), mailed.organization_id, mailed.host
    issued = await host.service_accounts.issue("reporter", owner, WANTED, by)
    added = await host.workload_clients.add(client(mailed), by)
    assert issued.token is not None
    assert not await mailed.is_refused(issued.token)
    await host.email_verification.verify(await mailed.verification_token(), PASSWORD)
    assert await mailed.is_refused(issued.token)
    assert (await host.service_accounts.page(owner, "active", 10, None)).entities == []
    assert added.id not in {
        each.id for each in (await host.workload_clients.page(owner, "reporter", 10, None)).entities
    }
    stored = await mailed.stored()
    assert stored.verified_at is not None

    again = await host.service_accounts.issue("reporter", owner, WANTED, await principal(mailed))
    assert again.token is not None
    assert not await mailed.is_refused(again.token)
