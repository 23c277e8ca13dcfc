"""What commands do with leases: take, extend, settle, expire, write off."""

from copy import copy
from datetime import datetime, timedelta
from typing import Any

import msgspec

from shared.domain.credits.accounts import CONSUMED, DEBT, FREE, LEASED, moved
from shared.domain.credits.budgets import Budget, capping
from shared.domain.credits.commands import ExpireLease, ExtendLease, SettleLease, TakeLease, WriteOffLease
from shared.domain.credits.counters import Amounts, Context, with_missing
from shared.domain.credits.counting import admit, settle
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.credits.holds import split
from shared.domain.credits.leases import Lease, merged
from shared.domain.credits.members import PayerChangedError
from shared.domain.credits.returns import Return
from shared.domain.credits.spending import short_of, taken_parts
from shared.domain.credits.transfers import Refusal, UseEntry
from shared.domain.credits.wallet import Wallet
from shared.domain.credits.windows import windows_at
from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.histories import History
from shared.domain.kernel.money import ZERO, plain
from shared.domain.kernel.times import to_text
from shared.domain.periods.periods import Calendar

TransferFields = dict[str, Any]

_SECOND = timedelta(seconds=1)


def take_lease(wallet: Wallet, command: TakeLease, now: datetime) -> TransferFields | Refusal:
    """Set a slice aside until the first end of a window with a cap at most."""
    kind, amount, context = command.credit_kind, command.amount, command.context
    cut = _first_end(wallet, kind, context, now, command.calendars)
    expires_at, cut_by = _cut(now + command.expires_in, cut)
    if expires_at < now + _SECOND:
        return _window_ended(cut_by)
    refusal = short_of(wallet, kind, amount, command.overdraft) or admit(
        wallet, kind, [(context, amount)], now, command.calendars, held=True, credit_value=command.credit_value
    )
    if refusal is not None:
        return refusal
    pins, in_debt = taken_parts(wallet, kind, amount, pin=True)
    lease = Lease(
        id=command.lease_id,
        transaction_id=command.transaction_id,
        context=context,
        credit_kind=kind,
        amount=amount,
        pins=pins,
        admitted_at=now,
        expires_at=expires_at,
        credit_value=command.credit_value,
    )
    wallet.leases[lease.id] = lease
    return {
        "amount": amount,
        "entries": (UseEntry(amount, context),),
        "parts": pins,
        "corrects": lease.id,
        "lines": moved(kind, (FREE, in_debt - amount), (DEBT, -in_debt), (LEASED, amount)),
        "answer": _given(lease, cut_by, now),
    }


def extend_lease(wallet: Wallet, command: ExtendLease, now: datetime) -> TransferFields | Refusal:
    """More credits, more time, or both, inside the windows of its admission. Raises `NotFoundError`."""
    lease = known_lease(wallet, command.lease_id, command.organization_id)
    kind, amount, context = lease.credit_kind, command.amount, lease.context
    cut = _first_end(wallet, kind, context, lease.admitted_at, command.calendars)
    refusal = _not_extensible(wallet, lease, cut, now)
    if refusal is not None:
        return _refused(wallet, lease, refusal)
    if amount:
        overdraft = command.overdraft if kind == DEFAULT_KIND else ZERO
        refusal = short_of(wallet, kind, amount, overdraft) or admit(
            wallet,
            *(kind, [(context, amount)], now, command.calendars),
            held=True,
            credit_value=lease.credit_value,
            counted_at=lease.admitted_at,
        )
        if refusal is not None:
            return refusal
    pins, in_debt = taken_parts(wallet, kind, amount, pin=True) if amount else ((), ZERO)
    expires_at, cut_by = _cut(now + command.expires_in, cut)
    lease = msgspec.structs.replace(
        lease,
        amount=lease.amount + amount,
        pins=merged((*lease.pins, *pins)),
        expires_at=max(lease.expires_at, expires_at),
    )
    wallet.leases[lease.id] = lease
    return {
        "credit_kind": kind,
        "amount": amount,
        "entries": (UseEntry(amount, context),) if amount else (),
        "parts": pins,
        "corrects": lease.id,
        "lines": moved(kind, (FREE, in_debt - amount), (DEBT, -in_debt), (LEASED, amount)),
        "answer": _given(lease, cut_by, now),
    }


def settle_lease(wallet: Wallet, command: SettleLease, now: datetime) -> TransferFields | Refusal:
    """Take a report of everything that was spent since the lease began; a lower total than before changes nothing.

    It is never refused for being late or too much: what was spent was spent. Raises `NotFoundError`.
    """
    lease = known_lease(wallet, command.lease_id, command.organization_id)
    increase = max(ZERO, command.total - lease.reported)
    named = sum((entry.amount for entry in command.entries), ZERO)
    if increase and command.entries and named != increase:
        detail = (
            f"The entries add up to {plain(named)}, and the total rises by {plain(increase)}: {plain(lease.reported)} "
            "were reported before"
        )
        return _refused(wallet, lease, Refusal("validation", detail))
    within = min(increase, lease.rest)
    reported = msgspec.structs.replace(lease, reported=lease.reported + increase, over=lease.over + increase - within)
    taken = Return(wallet, lease.credit_kind, command.transaction_id, now)
    if lease.state == "open":
        burnt, kept = split(lease.pins, within)
        taken.burn_pins(burnt)
        after = msgspec.structs.replace(reported, pins=kept)
        if command.final or lease.is_due(now):
            taken.free_pins(kept)
            after = msgspec.structs.replace(after.expired(), **_given_up(final=command.final))
    else:
        burnt = ()
        after = msgspec.structs.replace(
            reported,
            **({"unreported": max(ZERO, lease.unreported - within)} | _given_up(final=command.final)),
        )
    beyond = increase - sum((part.amount for part in burnt), ZERO)
    more, in_debt = taken_parts(wallet, lease.credit_kind, beyond, pin=False) if beyond else ((), ZERO)
    _count(wallet, lease, after, now, command.calendars)
    wallet.leases[lease.id] = after
    returned = lease.set_aside - after.set_aside
    entries = command.entries or (UseEntry(increase, lease.context),)
    return {
        "credit_kind": lease.credit_kind,
        "amount": increase,
        "entries": entries if increase else (),
        "parts": (*burnt, *more),
        "burnt_at": lease.admitted_at if burnt else now,
        "admitted_at": lease.admitted_at,
        "credit_value": lease.credit_value,
        "corrects": lease.id,
        "lines": taken.lines((LEASED, -returned), (CONSUMED, increase), (FREE, in_debt - beyond), (DEBT, -in_debt)),
        "answer": {
            "lease_id": lease.id,
            "reported": plain(after.reported),
            "left": plain(after.set_aside),
            "over": plain(after.over),
            "state": after.state,
            "late": lease.returns_at <= now,
        },
    }


def expire_lease(wallet: Wallet, command: ExpireLease, now: datetime) -> TransferFields:
    """Return what was not reported. Raises `NotFoundError` where it is resolved, or not yet due."""
    lease = known_lease(wallet, command.lease_id, command.organization_id)
    if not lease.is_due(now):
        raise NotFoundError("The lease is not due")
    return _returned(wallet, lease, lease.expired(), command, now)


def write_off_lease(wallet: Wallet, command: WriteOffLease, now: datetime) -> TransferFields | Refusal:
    """Free its caps of what was never reported. A later report is still taken. Raises `NotFoundError`."""
    lease = known_lease(wallet, command.lease_id, command.organization_id)
    expired = lease.at(now)
    if expired.state == "open":
        detail = f"The lease is open until {to_text(lease.returns_at)}: end it, or wait until then"
        return _refused(wallet, lease, Refusal("conflict", detail))
    written_off = expired.unreported
    after = msgspec.structs.replace(expired, unreported=ZERO, written_off=lease.written_off + written_off)
    fields = _returned(wallet, lease, after, command, now)
    return {
        **fields,
        "amount": written_off,
        "entries": (UseEntry(written_off, lease.context),) if written_off else (),
        "reason": command.reason,
        "answer": {"lease_id": lease.id, "written_off": plain(written_off)},
    }


def known_lease(wallet: Wallet, lease_id: str, organization_id: str) -> Lease:
    """Raises `NotFoundError`, for another organization's, too."""
    lease = wallet.leases.get(lease_id)
    if lease is None or lease.context.organization_id != organization_id:
        raise NotFoundError("There is no such lease")
    return lease


def _refused(wallet: Wallet, lease: Lease, refusal: Refusal) -> Refusal:
    """The lease that refuses is written as it is: where another host has changed it, the batch fails."""
    wallet.leases[lease.id] = copy(lease)
    return refusal


def _returned(
    wallet: Wallet, lease: Lease, after: Lease, command: ExpireLease | WriteOffLease, now: datetime
) -> TransferFields:
    """The credits of a lease go back; its caps keep what the lease after it says."""
    taken = Return(wallet, lease.credit_kind, command.transaction_id, now)
    returned = lease.set_aside - after.set_aside
    taken.free_pins(lease.pins)
    _count(wallet, lease, after, now, command.calendars)
    wallet.leases[lease.id] = msgspec.structs.replace(after, pins=())
    return {
        "credit_kind": lease.credit_kind,
        "amount": returned,
        "entries": (UseEntry(returned, lease.context),) if returned else (),
        "parts": lease.pins,
        "corrects": lease.id,
        "lines": taken.lines((LEASED, -returned)),
        "answer": {"lease_id": lease.id, "amount": plain(returned)},
    }


def _count(wallet: Wallet, before: Lease, after: Lease, now: datetime, calendars: History[Calendar]) -> None:
    settle(
        wallet,
        *(before.credit_kind, before.context, before.admitted_at, now, calendars),
        Amounts(
            spent=after.reported - before.reported,
            held=after.set_aside - before.set_aside,
            unreported=after.unreported - before.unreported,
        ),
        credit_value=before.credit_value,
    )


def _given_up(*, final: bool) -> dict[str, Any]:
    """What changes where the client says that nothing more will be reported."""
    return {"state": "ended", "unreported": ZERO} if final else {}


def _first_end(
    wallet: Wallet, kind: str, context: Context, admitted_at: datetime, calendars: History[Calendar]
) -> tuple[datetime, Budget] | None:
    """When the first window with a hard cap ends of those in which a lease counts, and that cap."""
    ends = {window.name: window.end for window in windows_at(admitted_at, calendars)}
    counters = with_missing(wallet.counters, context)
    caps = [budget for budget, _ in capping(wallet.budgets, kind, [context], counters)]
    ending = [(end, budget) for budget in caps if (end := ends[budget.window]) is not None]
    return min(ending, key=lambda each: each[0], default=None)


def _cut(wanted: datetime, cut: tuple[datetime, Budget] | None) -> tuple[datetime, Budget | None]:
    if cut is None or wanted <= cut[0]:
        return wanted, None
    return cut


def _not_extensible(wallet: Wallet, lease: Lease, cut: tuple[datetime, Budget] | None, now: datetime) -> Refusal | None:
    try:
        wallet.check_member(lease.context.organization_id)
    except PayerChangedError:
        return Refusal("payer_changed", "Another organization pays from now on: take a new lease")
    if lease.state == "ended":
        return Refusal("hold_resolved", "The lease has ended")
    if cut is not None and (cut[0] <= now or cut[0] < lease.expires_at):
        return _window_ended(cut[1])
    if lease.expires_at <= now:
        return Refusal("hold_expired", f"The lease expired at {to_text(lease.expires_at)}: take a new one")
    return None


def _window_ended(cut_by: Budget | None) -> Refusal:
    named = "" if cut_by is None else f" of the budget {cut_by.id}"
    return Refusal("window_ended", f"The window{named} ends: take a new lease")


def _given(lease: Lease, cut_by: Budget | None, now: datetime) -> dict[str, Any]:
    return {
        "lease_id": lease.id,
        "amount": plain(lease.amount),
        "expires_in": (lease.expires_at - now) // _SECOND,
        "expires_at": to_text(lease.expires_at),
        "returns_at": to_text(lease.returns_at),
        "cut_by": None if cut_by is None else cut_by.id,
        "credit_value": None if lease.credit_value is None else plain(lease.credit_value),
    }
