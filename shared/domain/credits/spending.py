"""Uses and holds: what spends credits or sets them aside."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from shared.domain.credits.accounts import CONSUMED, DEBT, FREE, RESERVED, moved
from shared.domain.credits.commands import Capture, ExpireHold, Release, Reserve, Use
from shared.domain.credits.counters import Amounts
from shared.domain.credits.counting import admit, settle
from shared.domain.credits.grants import Part, debt
from shared.domain.credits.holds import Hold, split
from shared.domain.credits.returns import Return
from shared.domain.credits.transfers import Refusal, UseEntry
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.money import ZERO, plain
from shared.domain.kernel.times import to_text

TransferFields = dict[str, Any]
"""The fields of a transfer that its type decides."""


def use(wallet: Wallet, command: Use, now: datetime) -> TransferFields | Refusal:
    kind, amount = command.credit_kind, command.amount
    refusal = short_of(wallet, kind, amount, command.overdraft) or admit(
        wallet,
        kind,
        [(entry.context, entry.amount) for entry in command.entries],
        now,
        command.calendars,
        held=False,
        credit_value=command.credit_value,
    )
    if refusal is not None:
        return refusal
    parts, in_debt = taken_parts(wallet, kind, amount, pin=False)
    answer: dict[str, Any] = {"amount": plain(amount)}
    if command.is_list:
        answer["uses"] = [{"amount": plain(entry.amount)} for entry in command.entries]
    return {
        "amount": amount,
        "entries": command.entries,
        "parts": parts,
        "burnt_at": now,
        "credit_value": command.credit_value,
        "lines": moved(kind, (FREE, in_debt - amount), (DEBT, -in_debt), (CONSUMED, amount)),
        "answer": answer,
    }


def reserve(wallet: Wallet, command: Reserve, now: datetime) -> TransferFields | Refusal:
    kind, amount = command.credit_kind, command.amount
    refusal = short_of(wallet, kind, amount, command.overdraft) or admit(
        wallet, kind, [(command.context, amount)], now, command.calendars, held=True, credit_value=command.credit_value
    )
    if refusal is not None:
        return refusal
    parts, in_debt = taken_parts(wallet, kind, amount, pin=True)
    expires_at = now + command.expires_in
    wallet.holds[command.hold_id] = Hold(
        id=command.hold_id,
        transaction_id=command.transaction_id,
        context=command.context,
        credit_kind=kind,
        amount=amount,
        pins=parts,
        admitted_at=now,
        expires_at=expires_at,
        credit_value=command.credit_value,
    )
    return {
        "amount": amount,
        "entries": (UseEntry(amount, command.context),),
        "parts": parts,
        "corrects": command.hold_id,
        "lines": moved(kind, (FREE, in_debt - amount), (DEBT, -in_debt), (RESERVED, amount)),
        "answer": {"hold_id": command.hold_id, "amount": plain(amount), "expires_at": to_text(expires_at)},
    }


def capture(wallet: Wallet, command: Capture, now: datetime) -> TransferFields | Refusal:
    """Raises `NotFoundError`."""
    hold = known_hold(wallet, command.hold_id, command.organization_id)
    captured = hold.amount if command.amount is None else command.amount
    refusal = _not_open(hold, now)
    if refusal is None and captured > hold.amount:
        refusal = Refusal("validation", f"The hold has {plain(hold.amount)} credits, less than {plain(captured)}")
    if refusal is not None:
        return refusal
    burnt, freed = split(hold.pins, captured)
    taken = _resolve(wallet, hold, "captured", command.transaction_id, now, burnt, freed)
    settle(
        wallet,
        *(hold.credit_kind, hold.context, hold.admitted_at, now, command.calendars),
        Amounts(spent=captured, held=-hold.amount),
        credit_value=hold.credit_value,
    )
    return {
        "credit_kind": hold.credit_kind,
        "amount": captured,
        "entries": (UseEntry(captured, hold.context, command.agent_type, command.action, metadata=command.metadata),),
        "parts": burnt,
        "burnt_at": hold.admitted_at,
        "credit_value": hold.credit_value,
        "corrects": hold.id,
        "lines": taken.lines((RESERVED, -hold.amount), (CONSUMED, captured)),
        "answer": {
            "hold_id": hold.id,
            "amount": plain(captured),
            "returned": plain(hold.amount - captured),
        },
    }


def release(wallet: Wallet, command: Release | ExpireHold, now: datetime) -> TransferFields | Refusal:
    """Raises `NotFoundError`, also for the expiry of a hold that is resolved or not yet due."""
    hold = known_hold(wallet, command.hold_id, command.organization_id)
    is_expiry = isinstance(command, ExpireHold)
    if is_expiry and not hold.is_due(now):
        raise NotFoundError("The hold is not due")
    refusal = None if is_expiry else _not_open(hold, now)
    if refusal is not None:
        return refusal
    state = "expired" if is_expiry else "released"
    taken = _resolve(wallet, hold, state, command.transaction_id, now, (), hold.pins)
    settle(
        wallet,
        *(hold.credit_kind, hold.context, hold.admitted_at, now, command.calendars),
        Amounts(held=-hold.amount),
        credit_value=hold.credit_value,
    )
    return {
        "credit_kind": hold.credit_kind,
        "amount": hold.amount,
        "entries": (UseEntry(hold.amount, hold.context),),
        "parts": hold.pins,
        "corrects": hold.id,
        "lines": taken.lines((RESERVED, -hold.amount)),
        "answer": {"hold_id": hold.id, "amount": plain(hold.amount)},
    }


def known_hold(wallet: Wallet, hold_id: str, organization_id: str) -> Hold:
    """Raises `NotFoundError`, for another organization's, too."""
    hold = wallet.holds.get(hold_id)
    if hold is None or hold.context.organization_id != organization_id:
        raise NotFoundError("There is no such hold")
    return hold


def short_of(wallet: Wallet, kind: str, amount: Decimal, overdraft: Decimal) -> Refusal | None:
    available = wallet.available(kind)
    if available - amount >= -overdraft:
        return None
    return Refusal(
        "insufficient_credits",
        f"{plain(available)} credits are available, and this needs {plain(amount)}",
        {"available": plain(available)},
    )


def taken_parts(wallet: Wallet, kind: str, amount: Decimal, *, pin: bool) -> tuple[tuple[Part, ...], Decimal]:
    """The parts that bear an amount, and how much of it becomes debt."""
    parts = wallet.grants(kind).take(amount, pin=pin)
    in_debt = amount - sum((part.amount for part in parts), ZERO)
    return (*parts, *((debt(in_debt),) if in_debt else ())), in_debt


def _not_open(hold: Hold, now: datetime) -> Refusal | None:
    if hold.state == "expired" or hold.is_due(now):
        return Refusal("hold_expired", f"The hold expired at {to_text(hold.expires_at)}")
    if hold.state != "open":
        return Refusal("hold_resolved", f"The hold is {hold.state} already")
    return None


def _resolve(  # noqa: PLR0913  what becomes of a hold
    wallet: Wallet,
    hold: Hold,
    state: Any,  # noqa: ANN401  a state of holds
    transaction_id: str,
    now: datetime,
    burnt: tuple[Part, ...],
    freed: tuple[Part, ...],
) -> Return:
    taken = Return(wallet, hold.credit_kind, transaction_id, now)
    taken.burn_pins(burnt)
    taken.free_pins(freed)
    wallet.holds[hold.id] = msgspec.structs.replace(hold, state=state, resolved_by=transaction_id)
    return taken
