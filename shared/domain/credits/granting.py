"""Grants that are given and lapse."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from shared.domain.credits.accounts import FREE, GRANTED
from shared.domain.credits.amounts import LARGEST
from shared.domain.credits.commands import GiveGrant
from shared.domain.credits.grant_pages import MAXIMUM_GRANTS
from shared.domain.credits.grants import Grant, Part
from shared.domain.credits.head import MAXIMUM_KINDS
from shared.domain.credits.payments import GrantRecord
from shared.domain.credits.returns import Return
from shared.domain.credits.transfers import Refusal, Transfer
from shared.domain.credits.wallet import Wallet
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
