"""Clawbacks: credits whose payment was taken back leave the wallet, and come back where the payment does."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from shared.domain.credits.accounts import CLAWED_BACK, DEBT, EXPIRED, FREE, moved
from shared.domain.credits.commands import Clawback
from shared.domain.credits.grants import Grant, debt, place
from shared.domain.credits.payments import GrantRecord, Taking, TakingsPage
from shared.domain.credits.returns import Return
from shared.domain.credits.transfers import Refusal
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.money import ZERO, plain

TransferFields = dict[str, Any]

TAKINGS_AT_ONCE = 500
"""How many grants one transfer takes from, about, or returns to; a clawback over more of them is made in parts."""


def claw_back(wallet: Wallet, command: Clawback, now: datetime) -> TransferFields | Refusal:
    """Bring what was taken back for a grant to a total. Raises `NotFoundError`.

    The answer of the first transfer says how much it takes or, below zero, returns. What does not fit into it is
    pending until later parts do it; a newer total goes on from what was done by then.
    """
    record = wallet.grant_records.get(command.grant_id)
    if record is None or record.organization_id != command.organization_id:
        raise NotFoundError("There is no such grant")
    if command.part_of is None and command.total > record.amount:
        return Refusal("validation", f"The grant had {plain(record.amount)} credits")
    difference = _difference(record, command)
    if difference is None:
        return {"corrects": record.id, "reason": command.reason, "answer": {"amount": "0"}}
    fields = (
        _take_back(wallet, record, difference, now)
        if difference >= 0
        else _return_taken(wallet, record, -difference, command.transaction_id, now)
    )
    done: Decimal = fields["amount"]
    after = msgspec.structs.replace(
        wallet.grant_records[record.id],
        version=command.version,
        clawed_back=record.clawed_back if command.part_of is not None else command.total,
        pending=difference - done,
    )
    wallet.grant_records[record.id] = after
    wallet.note_owing(after)
    return {
        "credit_kind": record.credit_kind,
        "corrects": record.id,
        "reason": command.reason,
        "answer": {"amount": plain(done if command.part_of is not None else difference)},
        **fields,
    }


def _difference(record: GrantRecord, command: Clawback) -> Decimal | None:
    """What is still to be taken, or returned below zero; None where something newer was decided."""
    if command.part_of is not None:
        return record.pending if command.version == record.version else None
    return command.total - record.taken if command.version > record.version else None


def _take_back(wallet: Wallet, record: GrantRecord, amount: Decimal, now: datetime) -> TransferFields:
    """First what lapsed of its own grant, then what is free in it, then other grants, then debt; nothing pinned.

    What has rolled over lies at another place and is its own, too. Where others are too many for one transfer, less is
    taken.
    """
    kind, grants = record.credit_kind, wallet.grants(record.credit_kind)
    from_lapsed, from_own = ZERO, ZERO
    takings: list[Taking] = []
    for own in _own_grants(wallet, record):
        lapsed = min(amount - from_lapsed, own.lapsed)
        from_lapsed += lapsed
        takings.append(Taking("lapsed", own.part(lapsed), now))
        grants.put(msgspec.structs.replace(own, lapsed=own.lapsed - lapsed))
    for own in _own_grants(wallet, record):
        free = min(amount - from_lapsed - from_own, own.free)
        from_own += free
        takings.append(Taking("grant", own.part(free), now))
        grants.put(msgspec.structs.replace(own, free=own.free - free))
    others = grants.take(amount - from_lapsed - from_own, pin=False, at_most=TAKINGS_AT_ONCE)
    from_free = from_own + sum((part.amount for part in others), ZERO)
    if len(others) >= TAKINGS_AT_ONCE:
        amount = from_lapsed + from_free
    in_debt = amount - from_lapsed - from_free
    takings += [*(Taking("grant", part, now) for part in others), Taking("debt", debt(in_debt), now)]
    taken = tuple(taking for taking in takings if taking.part.amount)
    _remember(wallet, record, taken)
    return {
        "amount": amount,
        "parts": tuple(taking.part for taking in taken),
        "lines": moved(kind, (EXPIRED, -from_lapsed), (FREE, -from_free), (DEBT, -in_debt), (CLAWED_BACK, amount)),
    }


def _remember(wallet: Wallet, record: GrantRecord, taken: tuple[Taking, ...]) -> None:
    """Note what was taken. Where the record would become long, what it had goes to a page behind it."""
    if record.takings and len(record.takings) + len(taken) > TAKINGS_AT_ONCE:
        page = TakingsPage(record.id, record.takings_pages + 1, record.takings)
        wallet.takings_pages[page.id] = page
        record = msgspec.structs.replace(record, takings=(), takings_pages=page.number)
    wallet.grant_records[record.id] = msgspec.structs.replace(record, takings=(*record.takings, *taken))


def _own_grants(wallet: Wallet, record: GrantRecord) -> list[Grant]:
    """What is open of a grant, where it was given and where it has rolled over to."""
    places = [record.grant.place]
    rolled_over = record.terms.rolled_over()
    if rolled_over is not None:
        places.append(place(rolled_over, record.created_at, record.id))
    return [own for own in map(wallet.grants(record.credit_kind).find, places) if own is not None]


def _return_taken(
    wallet: Wallet, record: GrantRecord, amount: Decimal, transaction_id: str, now: datetime
) -> TransferFields:
    """What was taken last comes back first; what came out of breakage returns there.

    Of what a page has nothing comes back in a transfer that began with the record's own takings.
    """
    kind = record.credit_kind
    taken = Return(wallet, kind, transaction_id, now)
    record = _with_takings(wallet, record)
    takings, rest, to_lapsed = list(record.takings), amount, ZERO
    least = max(0, len(takings) - TAKINGS_AT_ONCE)
    while rest and len(takings) > least:
        last = takings.pop()
        returned = min(rest, last.part.amount)
        rest -= returned
        if returned < last.part.amount:
            kept = last.part.of(last.part.amount - returned)
            takings.append(Taking(last.origin, kept, last.taken_at))
        if last.origin == "lapsed":
            grants = wallet.grants(kind)
            own = grants.find(last.part.place) or last.part.grant
            grants.put(msgspec.structs.replace(own, lapsed=own.lapsed + returned))
            to_lapsed += returned
        else:
            taken.give_back([last.part.of(returned)], last.taken_at)
    after = msgspec.structs.replace(record, takings=tuple(takings))
    wallet.grant_records[record.id] = _with_takings(wallet, after)
    return {
        "amount": rest - amount,
        "parts": tuple(taken.parts),
        "lines": taken.lines((CLAWED_BACK, rest - amount), (EXPIRED, to_lapsed)),
    }


def _with_takings(wallet: Wallet, record: GrantRecord) -> GrantRecord:
    """The record with those of its last page, where it has none itself."""
    page = wallet.takings_pages.get(record.last_takings_page)
    if record.takings or not record.takings_pages or page is None:
        return record
    return msgspec.structs.replace(record, takings=page.takings, takings_pages=record.takings_pages - 1)
