"""Refunds: consumed credits that come back, at most as many as were consumed."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from shared.domain.credits.accounts import CONSUMED
from shared.domain.credits.commands import Refund
from shared.domain.credits.counters import Amounts
from shared.domain.credits.counting import settle
from shared.domain.credits.grants import Part
from shared.domain.credits.holds import split
from shared.domain.credits.payments import RefundRecord, refund_id
from shared.domain.credits.returns import Return
from shared.domain.credits.transfers import Refusal, Transfer, UseEntry
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.money import ZERO, plain

TransferFields = dict[str, Any]


PARTS_AT_ONCE = 500
"""How many parts of grants come back in one transfer; a refund over more of them is made in parts."""


def refund(wallet: Wallet, command: Refund, now: datetime) -> TransferFields | Refusal:
    """What was burnt last comes back first. Raises `NotFoundError`.

    The first transfer decides how much comes back, and its answer says it. What does not fit into it is pending until
    later parts bring it back.
    """
    original = wallet.earlier.get(command.transaction_id_refunded)
    if original is None or original.organization_id != command.organization_id:
        raise NotFoundError("There is no such transaction")
    record = wallet.refunds.get(original.id) or RefundRecord(refund_id(original.id), original.id, ZERO)
    if command.part_of is not None:
        amount = min(record.pending, record.pending if command.amount is None else command.amount)
        decided = msgspec.structs.replace(record, pending=record.pending - amount)
    else:
        left = original.amount - record.refunded
        amount = left if command.amount is None else command.amount
        refusal = _not_refundable(original, amount, left)
        if refusal is not None:
            return refusal
        decided = msgspec.structs.replace(record, refunded=record.refunded + amount)
        _note_of_lease(wallet, original, amount)
    parts = _returned_parts(original, record.returned, amount)
    returned = sum((part.amount for part in parts), ZERO)
    wallet.refunds[original.id] = msgspec.structs.replace(decided, pending=decided.pending + amount - returned)
    burnt_at = original.burnt_at or original.time
    taken = Return(wallet, original.credit_kind, command.transaction_id, now)
    taken.give_back(parts, burnt_at)
    entries = _returned_entries(original, record.returned, returned)
    for entry in entries:
        settle(
            wallet,
            *(original.credit_kind, entry.context, original.admitted_at or burnt_at, now, command.calendars),
            Amounts(spent=-entry.amount),
            credit_value=original.credit_value,
        )
    return {
        "credit_kind": original.credit_kind,
        "amount": returned,
        "entries": entries,
        "parts": tuple(taken.parts),
        "corrects": original.id,
        "reason": command.reason,
        "lines": taken.lines((CONSUMED, -returned)),
        "answer": {"amount": plain(amount), "refunded": plain(decided.refunded)},
    }


def _returned_parts(original: Transfer, returned: Decimal, amount: Decimal) -> tuple[Part, ...]:
    """The next parts that come back, as many as fit into one transfer."""
    _, unreturned = split(tuple(reversed(original.parts)), returned)
    parts, _ = split(unreturned, amount)
    return parts[:PARTS_AT_ONCE]


def _not_refundable(original: Transfer, amount: Decimal, left: Decimal) -> Refusal | None:
    if original.type not in ("use", "capture", "lease_settlement") or original.is_refused:
        return Refusal("conflict", "Only uses, captures and settlements of leases can be refunded")
    if amount > left or not left:
        return Refusal("conflict", f"{plain(left)} credits of the transaction are left to refund")
    return None


def _returned_entries(original: Transfer, before: Decimal, amount: Decimal) -> tuple[UseEntry, ...]:
    """What is returned of each use of a list, the last ones first; `before` was returned already."""
    returned: list[UseEntry] = []
    for entry in reversed(original.entries):
        skipped = min(entry.amount, before)
        before -= skipped
        part = min(entry.amount - skipped, amount)
        amount -= part
        if part:
            returned.append(msgspec.structs.replace(entry, amount=part))
    return tuple(returned)


def _note_of_lease(wallet: Wallet, original: Transfer, amount: Decimal) -> None:
    """What is refunded of all its reports, as its events are paid with the lease."""
    if original.type == "lease_settlement" and original.corrects in wallet.leases:
        lease = wallet.leases[original.corrects]
        wallet.leases[lease.id] = msgspec.structs.replace(lease, refunded=lease.refunded + amount)
