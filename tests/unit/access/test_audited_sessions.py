"""Sign-ins, lock-outs and refresh tokens that are used twice are on the trail."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

import pytest

from shared.domain.kernel.audit import ANONYMOUS_ID, Actor
from shared.domain.kernel.errors import UnauthenticatedError
from shared.services.access.audit import AuditQuery, ReadEntry
from shared.services.storage import OPERATOR
from shared.services.storage.audit.acting import acting
from shared.services.storage.audit.verification import Verification, Verified
from tests.doubles.worlds.signed_up_user import SignedUpUser

STRANGER = Actor("system", ANONYMOUS_ID, ip="198.51.100.0/24")


async def told(ada: SignedUpUser, action: str, trail: str | None = None) -> Sequence[ReadEntry]:
    ada.clock.move(timedelta(minutes=6))
    await ada.other_host.outbox.sweep()
    trail = ada.organization_id if trail is None else trail
    entries, _ = await ada.host.audit.page(trail, AuditQuery(action=action), 100, None)
    checked = Verification(ada.store, ada.host.audited_store.keys)
    assert [each async for each in checked.findings(trail, Verified())] == []
    return entries


async def test_a_sign_in_and_its_end_are_told_by_whom_and_from_where(ada: SignedUpUser) -> None:
    with acting(STRANGER):
        signed_in = await ada.sign_in()
    (begun,) = await told(ada, "sessions.create")
    assert (begun.entry.actor_type, begun.entry.actor_id) == ("user", ada.account.user_id)
    assert (begun.entry.target_id, begun.ip) == (signed_in.session_id, "198.51.100.0/24")
    await ada.host.sessions.end(ada.account.user_id, signed_in.session_id)
    (ended,) = await told(ada, "sessions.delete")
    assert ended.entry.target_id == signed_in.session_id


async def test_a_refresh_token_that_is_used_twice_is_told(ada: SignedUpUser) -> None:
    signed_in = await ada.sign_in()
    await ada.host.sessions.refresh(signed_in.refresh_token)
    assert await told(ada, "sessions.reuse") == []
    for _ in range(2):
        with pytest.raises(UnauthenticatedError):
            await ada.host.sessions.refresh(signed_in.refresh_token)
    (reused,) = await told(ada, "sessions.reuse")
    assert reused.entry.target_id == signed_in.session_id
    assert len(await told(ada, "sessions.delete")) == 1


async def test_a_lock_out_is_told_once_and_takes_what_that_of_an_unknown_address_takes(ada: SignedUpUser) -> None:
    costs = []
    for email in ("ada@example.com", "nobody@example.com"):
        before = ada.costs()
        for _ in range(5):
            with acting(STRANGER), suppress(UnauthenticatedError):
                await ada.host.accounts.sign_in(email, "a wrong password", None)
        costs.append({kind: ada.costs()[kind] - before[kind] for kind in ("read", "write")})
    assert costs[0] == costs[1]
    (locked,) = await told(ada, "sessions.lock")
    assert (locked.entry.target_id, locked.entry.actor_id) == (ada.account.user_id, ANONYMOUS_ID)
    (unknown,) = await told(ada, "sessions.lock", OPERATOR)
    assert unknown.entry.target_type == "address"
    assert "nobody" not in unknown.entry.model_dump_json()


async def test_a_right_password_at_the_fifth_try_is_no_lock_out(ada: SignedUpUser) -> None:
    for _ in range(4):
        with suppress(UnauthenticatedError):
            await ada.sign_in("a wrong password")
    await ada.sign_in()
    assert await told(ada, "sessions.lock") == []
