"""Five failures lock an address for an hour; a device that the user signed in from has failures of its own."""

import asyncio
from datetime import timedelta

import pytest

from shared.domain.access.lockout import DEVICE_KNOWN_FOR, LOCKED_FOR, MAXIMUM_DEVICES
from shared.domain.kernel.errors import (
    LockedError,
    OrganizationRequiredError,
    UnauthenticatedError,
    UnavailableError,
)
from tests.doubles.worlds.signed_up_user import PASSWORD, SignedUpUser

WRONG = "not the right password"


async def fail(ada: SignedUpUser, times: int, device_token: str | None = None) -> None:
    for _ in range(times):
        with pytest.raises(UnauthenticatedError):
            await ada.sign_in(WRONG, device_token)


async def refused(ada: SignedUpUser, password: str = PASSWORD, device_token: str | None = None) -> timedelta:
    """How long the lock lasts from now on."""
    with pytest.raises(LockedError) as locked:
        await ada.sign_in(password, device_token)
    return timedelta(seconds=locked.value.retry_after)


async def test_the_lock_lasts_an_hour_from_the_fifth_failure_whatever_is_tried_meanwhile(ada: SignedUpUser) -> None:
    await fail(ada, 3)
    ada.clock.move(timedelta(minutes=30))
    await fail(ada, 2)
    assert await refused(ada) == LOCKED_FOR
    ada.clock.move(timedelta(minutes=59))
    assert await refused(ada, WRONG) == timedelta(minutes=1)
    ada.clock.move(timedelta(minutes=1))
    assert await ada.sign_in()


async def test_failures_of_more_than_an_hour_ago_do_not_count(ada: SignedUpUser) -> None:
    await fail(ada, 4)
    ada.clock.move(timedelta(minutes=61))
    await fail(ada, 4)
    assert await ada.sign_in()
    await fail(ada, 4)  # those before the success are forgotten
    assert await ada.sign_in()


async def test_failures_on_two_hosts_are_one_number(ada: SignedUpUser) -> None:
    await fail(ada, 3)
    for _ in range(2):
        with pytest.raises(UnauthenticatedError):
            await ada.other_host.accounts.sign_in(ada.account.email, WRONG, None)
    for host in (ada.host, ada.other_host):
        with pytest.raises(LockedError):
            await host.accounts.sign_in(ada.account.email, PASSWORD, None)


async def test_of_tries_at_once_five_are_looked_at(ada: SignedUpUser) -> None:
    tries = [host.accounts.sign_in(ada.account.email, WRONG, None) for host in (ada.host, ada.other_host) * 6]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(outcome, UnauthenticatedError) for outcome in outcomes) == 5
    assert sum(isinstance(outcome, LockedError) for outcome in outcomes) == 7


async def test_strangers_who_lock_the_address_do_not_lock_out_a_known_device(ada: SignedUpUser) -> None:
    device = (await ada.sign_in()).device_token
    await fail(ada, 5)
    await refused(ada)
    again = await ada.sign_in(PASSWORD, device)
    for known in (device, again.device_token):
        assert await ada.sign_in(PASSWORD, known)
    await refused(ada)  # for everybody else it stays locked


async def test_a_known_device_has_five_failures_of_its_own(ada: SignedUpUser) -> None:
    device = (await ada.sign_in()).device_token
    await fail(ada, 4, device)
    await ada.sign_in(PASSWORD, device)
    await fail(ada, 5, device)
    assert await refused(ada, PASSWORD, device) == LOCKED_FOR
    assert await ada.sign_in()  # the address is not locked by them
    ada.clock.move(LOCKED_FOR)
    assert await ada.sign_in(PASSWORD, device)


async def test_a_device_is_known_to_its_user_alone_and_for_ninety_days(ada: SignedUpUser) -> None:
    device = (await ada.sign_in()).device_token
    await ada.sign_up_another("bob@example.com")
    await fail(ada, 5)
    for guess in ("", "guess", (await ada.host.accounts.sign_in("bob@example.com", PASSWORD, None)).device_token):
        await refused(ada, PASSWORD, guess)
    ada.clock.move(DEVICE_KNOWN_FOR - timedelta(seconds=1))
    await fail(ada, 5)
    assert await ada.sign_in(PASSWORD, device)
    ada.clock.move(timedelta(seconds=1))
    await refused(ada, PASSWORD, device)


async def test_of_more_than_fifty_devices_the_one_unused_longest_is_forgotten(ada: SignedUpUser) -> None:
    first, second = [(await ada.sign_in()).device_token for _ in range(2)]
    for _ in range(MAXIMUM_DEVICES):
        ada.clock.move(timedelta(seconds=1))
        await ada.sign_in(PASSWORD, first)
    await fail(ada, 5)
    await refused(ada, PASSWORD, second)
    assert await ada.sign_in(PASSWORD, first)


async def test_logging_out_everywhere_forgets_devices(ada: SignedUpUser) -> None:
    device = (await ada.sign_in()).device_token
    await ada.host.sessions.end_all(ada.account.user_id, with_devices=True)
    await fail(ada, 5)
    await refused(ada, PASSWORD, device)


async def test_no_item_holds_a_token(ada: SignedUpUser) -> None:
    signed_in = await ada.sign_in()
    stored = "".join(kept.text for items in ada.store._partitions.values() for kept in items.values())
    assert signed_in.device_token not in stored
    assert signed_in.refresh_token not in stored
    assert signed_in.refresh_token.rpartition(".")[2] not in stored


async def test_a_right_password_that_leads_nowhere_yet_is_no_failure(ada: SignedUpUser) -> None:
    """Nor does it clear the failures before it: the sign-in is not complete."""
    await ada.second_organization()
    await fail(ada, 4)
    for _ in range(3):
        with pytest.raises(OrganizationRequiredError) as required:
            await ada.sign_in()
    assert [(each.id, each.name) for each in required.value.organizations] == [
        (ada.organization_id, "Engines"),
        (ada.account.organization_ids[1], "Second"),
    ]
    await fail(ada, 1)
    await refused(ada)


async def test_an_outage_after_the_right_password_counts_as_no_failure(ada: SignedUpUser) -> None:
    ada.store.begins_no_session = True
    for _ in range(6):
        with pytest.raises(UnavailableError):
            await ada.sign_in()
    ada.store.begins_no_session = False
    assert await ada.sign_in()


async def test_known_and_unknown_addresses_take_the_same_reads_writes_and_hashes(ada: SignedUpUser) -> None:
    device = (await ada.sign_in()).device_token
    counts = []
    for email, token in (
        (ada.account.email, None),
        ("nobody@example.com", None),
        (ada.account.email, "guess"),
        ("nobody@example.com", "guess"),
        (ada.account.email, device),
    ):
        before = ada.costs()
        with pytest.raises(UnauthenticatedError) as refused_as:
            await ada.host.accounts.sign_in(email, WRONG, None, device_token=token)
        counts.append((ada.costs() - before, str(refused_as.value)))
    assert counts == [({"read": 4, "write": 1, "hash": 1}, counts[0][1])] * len(counts)
