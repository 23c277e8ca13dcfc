"""Grants that are given, lapse, and are taken back."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from shared.domain.credits.accounts import CLAWED_BACK, DEBT, EXPIRED, FREE, GRANTED, moved
from shared.domain.credits.amounts import LARGEST
from shared.domain.credits.commands import Clawback, GiveGrant
from shared.domain.credits.grant_pages import MAXIMUM_GRANTS
from shared.domain.credits.grants import Grant, Part, debt, place
from shared.domain.credits.head import MAXIMUM_KINDS
from shared.domain.credits.payments import GrantRecord, Taking
from shared.domain.credits.returns import Return
from shared.domain.credits.transfers import Refusal, Transfer
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.money import ZERO, plain

TransferFields = dict[str, Any]


def give(wallet: Wallet, command: GiveGrant, now: datetime) -> TransferFields | Refusal:
    kind, amount = command.credit_kind, command.amount
    refusal = _not_givable(wallet, command, now)
    if refusal is not None:
        return refusal
    grant = Grant(command.grant_id, command.terms, now, amount, amount)
    taken = Return(wallet, kind, command.transaction_id, now)
    taken.take_new(grant)
    wallet.grant_records[grant.id] = GrantRecord(
        id=grant.id,
        organization_id=command.organization_id,
        credit_kind=kind,
        terms=command.terms,
        created_at=now,
        amount=amount,
        reason=command.reason,
    )
    return {
        "amount": amount,
        "parts": tuple(taken.parts),
        "corrects": grant.id,
        "reason": command.reason,
        "lines": taken.lines((GRANTED + command.terms.source, -amount)),
        "answer": {"grant_id": grant.id, "amount": plain(amount)},
    }


def _not_givable(wallet: Wallet, command: GiveGrant, now: datetime) -> Refusal | None:
    kind, expires_at = command.credit_kind, command.terms.expires_at
    if expires_at is not None and expires_at <= now:
        return Refusal("validation", "The grant has expired already: expires_at is not in the future")
    if kind not in wallet.head.accounts and len(wallet.head.accounts) >= MAXIMUM_KINDS:
        return Refusal("conflict", f"The wallet has {MAXIMUM_KINDS} kinds of credits already")
    if wallet.grants(kind).count >= MAXIMUM_GRANTS and not command.by_system:
        return Refusal("conflict", f"The wallet has {MAXIMUM_GRANTS} open grants of this kind: let some be spent first")
    given = -sum((balance for name, balance in wallet.balances(kind).items() if name.startswith(GRANTED)), ZERO)
    if given + command.amount >= LARGEST:
        return Refusal("conflict", "The wallet cannot hold as many credits")
    return None


def expired_grants(wallet: Wallet, now: datetime) -> int:
    """In how many grants something may lapse or roll over, about."""
    references = (reference for of_kind in wallet.head.pages.values() for reference in of_kind)
    return sum(each.count for each in references if each.expires_at is not None and each.expires_at <= now)


def expire_grants(wallet: Wallet, now: datetime, at_most: int | None = None) -> None:
    """Let lapse, or roll over, what is free in grants whose time is over: of all, or of about `at_most` of them.

    What holds pin lapses when it is released.
    """
    for kind in list(wallet.head.pages):
        while any(
            reference.expires_at is not None and reference.expires_at <= now
            for reference in wallet.grants(kind).references
        ):
            expired = wallet.grants(kind).expire(now, at_most)
            if expired.lapsed:
                _let_lapse(wallet, kind, expired.lapsed, now)
            if expired.rolled:
                wallet.record(_by_itself(wallet, "rollover", kind, expired.rolled, now))
            if at_most is not None:
                return


def _let_lapse(wallet: Wallet, kind: str, parts: Sequence[Part], now: datetime) -> None:
    transfer = _by_itself(wallet, "grant_expiry", kind, parts, now)
    taken = Return(wallet, kind, transfer.id, now)
    for part in parts:
        taken.let_lapse(part)
    lines = taken.lines((FREE, -transfer.amount))
    wallet.record(msgspec.structs.replace(transfer, parts=(*parts, *taken.parts), lines=lines))


def _by_itself(
    wallet: Wallet, type_: Literal["grant_expiry", "rollover"], kind: str, parts: Sequence[Part], now: datetime
) -> Transfer:
    return Transfer(
        id=named_id("txn", wallet.payer, type_, wallet.head.sequence + 1),
        organization_id=wallet.payer,
        type=type_,
        time=wallet.advance(now),
        credit_kind=kind,
        amount=sum((part.amount for part in parts), ZERO),
        parts=tuple(parts),
    )


def claw_back(wallet: Wallet, command: Clawback, now: datetime) -> TransferFields | Refusal:
    """Raises `NotFoundError`."""
    record = wallet.grant_records.get(command.grant_id)
    if record is None or record.organization_id != command.organization_id:
        raise NotFoundError("There is no such grant")
    if command.total > record.amount:
        return Refusal("validation", f"The grant had {plain(record.amount)} credits")
    if command.version <= record.version:
        return {"corrects": record.id, "reason": command.reason, "answer": {"amount": "0"}}
    difference = command.total - record.clawed_back
    fields = (
        _take_back(wallet, record, difference, now)
        if difference >= 0
        else _return_taken(wallet, record, -difference, command.transaction_id, now)
    )
    taken = msgspec.structs.replace(wallet.grant_records[record.id], version=command.version, clawed_back=command.total)
    wallet.grant_records[record.id] = taken
    wallet.note_owing(taken)
    return {
        "credit_kind": record.credit_kind,
        "amount": difference,
        "corrects": record.id,
        "reason": command.reason,
        "answer": {"amount": plain(difference)},
        **fields,
    }


def _take_back(wallet: Wallet, record: GrantRecord, amount: Decimal, now: datetime) -> TransferFields:
    """First what lapsed of its own grant, then what is free in it, then other grants, then debt; nothing pinned.

    What has rolled over lies at another place and is its own, too.
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
    others = grants.take(amount - from_lapsed - from_own, pin=False)
    from_free = from_own + sum((part.amount for part in others), ZERO)
    in_debt = amount - from_lapsed - from_free
    takings += [*(Taking("grant", part, now) for part in others), Taking("debt", debt(in_debt), now)]
    taken = tuple(taking for taking in takings if taking.part.amount)
    wallet.grant_records[record.id] = msgspec.structs.replace(record, takings=(*record.takings, *taken))
    return {
        "parts": tuple(taking.part for taking in taken),
        "lines": moved(kind, (EXPIRED, -from_lapsed), (FREE, -from_free), (DEBT, -in_debt), (CLAWED_BACK, amount)),
    }


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
    """What was taken last comes back first; what came out of breakage returns there."""
    kind = record.credit_kind
    taken = Return(wallet, kind, transaction_id, now)
    takings, rest, to_lapsed = list(record.takings), amount, ZERO
    while rest:
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
    wallet.grant_records[record.id] = msgspec.structs.replace(record, takings=tuple(takings))
    return {
        "parts": tuple(taken.parts),
        "lines": taken.lines((CLAWED_BACK, -amount), (EXPIRED, to_lapsed)),
    }
