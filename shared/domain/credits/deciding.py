"""Decides one command on a wallet: pure, the same for the same wallet, command and time."""

from datetime import datetime
from decimal import localcontext
from typing import Any, assert_never

import msgspec

from shared.domain.credits.accounts import available, posted
from shared.domain.credits.clawbacks import claw_back
from shared.domain.credits.commands import (
    AnyCommand,
    Capture,
    Clawback,
    Draw,
    ExpireHold,
    ExpireLease,
    ExtendLease,
    FailTopUp,
    GiveGrant,
    LeaseCommand,
    OtherCommand,
    Refund,
    Release,
    Reserve,
    SettleLease,
    SpendingCommand,
    TakeLease,
    Use,
    WriteOffLease,
    sign_up_bonus,
)
from shared.domain.credits.draws import draw
from shared.domain.credits.granting import expire_grants, give
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.credits.head import TRANSFERS_PER_CUT, Cut
from shared.domain.credits.leasing import expire_lease, extend_lease, settle_lease, take_lease, write_off_lease
from shared.domain.credits.members import PayerChangedError
from shared.domain.credits.refunds import refund
from shared.domain.credits.spending import capture, release, reserve, use
from shared.domain.credits.top_ups import fail_top_up
from shared.domain.credits.transfers import Refusal, Transfer, TransferType
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.money import EXACT, ZERO, plain

_TYPES: dict[type[AnyCommand], TransferType] = {
    GiveGrant: "grant",
    Use: "use",
    Reserve: "reserve",
    Capture: "capture",
    Release: "release",
    ExpireHold: "hold_expiry",
    TakeLease: "lease",
    ExtendLease: "lease_extension",
    SettleLease: "lease_settlement",
    ExpireLease: "lease_expiry",
    WriteOffLease: "lease_write_off",
    Refund: "refund",
    Clawback: "clawback",
    Draw: "draw",
    FailTopUp: "top_up_failure",
}


def decide(wallet: Wallet, command: AnyCommand, now: datetime) -> Transfer:
    """Do the command, or refuse it; what came of it is the last transfer of the wallet.

    What is due by then comes first: the cut of the month that ended, and grants whose time is over. Raises
    `NotFoundError` where the command names what is not there, and `PayerChangedError` where another wallet pays; then
    nothing was decided, and the wallet is of no use.
    """
    with localcontext(EXACT):
        bring_up_to(wallet, now)
        id_ = command.transaction_id
        done = next((transfer for transfer in wallet.transfers if transfer.id == id_), None)
        if done is not None:
            return done
        time = wallet.advance(now)
        if isinstance(command, LeaseCommand):
            decided = _decided_on_lease(wallet, command, time)
        else:
            decided = _decided(wallet, command, time)
        if isinstance(decided, Refusal):
            fields: dict[str, Any] = {"refusal": decided}
        else:
            fields = decided
        fields.setdefault("credit_kind", getattr(command, "credit_kind", DEFAULT_KIND))
        transfer = Transfer(
            id=id_,
            organization_id=command.organization_id,
            type=_TYPES[type(command)],
            time=time,
            principal=command.principal,
            request_hash=command.request_hash,
            **fields,
        )
        return _answered(wallet, transfer)


def bring_up_to(wallet: Wallet, now: datetime, at_most: int | None = None) -> None:
    """Do what is due by itself: the sign-up bonus first of all, a cut of what is long or over, and what lapses.

    `at_most` is about how many grants lapse.
    """
    with localcontext(EXACT):
        if wallet.sign_up_bonus and not wallet.head.sequence:
            bonus, wallet.sign_up_bonus = sign_up_bonus(wallet.payer, wallet.sign_up_bonus), ZERO
            decide(wallet, bonus, now)
        time = wallet.advance(now)
        head = wallet.head
        since = head.sequence - wallet.cut_sequence
        is_new_month = (head.time.year, head.time.month) != (time.year, time.month)
        if since and (is_new_month or since >= TRANSFERS_PER_CUT):
            number = head.cuts + len(wallet.cuts) + 1
            wallet.cuts.append(Cut(number, time, head.sequence, head.hash, head.accounts))
        expire_grants(wallet, time, at_most)


def _answered(wallet: Wallet, transfer: Transfer) -> Transfer:
    """Recorded, with what is available after it, and the revision of the wallet, in its answer."""
    if transfer.refusal is not None:
        return wallet.record(transfer)
    kind = transfer.credit_kind
    after = available(posted(wallet.head.accounts, transfer.lines).get(kind, {}))
    shown = {"available": plain(after), "revision": wallet.head.revision + 1}
    answer = {"transaction_id": transfer.id, **transfer.answer, **shown}
    return wallet.record(msgspec.structs.replace(transfer, answer=answer))


def _decided(  # noqa: PLR0911  one for each command
    wallet: Wallet, command: OtherCommand, now: datetime
) -> dict[str, Any] | Refusal:
    match command:
        case GiveGrant():
            return give(wallet, command, now)
        case Use():
            _check_payer(wallet, command, now)
            return use(wallet, command, now)
        case Reserve():
            _check_payer(wallet, command, now)
            return reserve(wallet, command, now)
        case Capture():
            return capture(wallet, command, now)
        case Release() | ExpireHold():
            return release(wallet, command, now)
        case Refund():
            return refund(wallet, command, now)
        case Clawback():
            return claw_back(wallet, command, now)
        case Draw():
            return draw(wallet, command, now)
        case FailTopUp():
            return fail_top_up(wallet, command, now)
        case _:
            assert_never(command)


def _check_payer(wallet: Wallet, command: SpendingCommand, now: datetime) -> None:
    """Raises `PayerChangedError` where the wallet does not pay, or no longer at this instant."""
    wallet.check_member(command.organization_id)
    if command.paid_until is not None and command.paid_until <= now:
        raise PayerChangedError(command.paid_until)


def _decided_on_lease(wallet: Wallet, command: LeaseCommand, now: datetime) -> dict[str, Any] | Refusal:
    match command:
        case TakeLease():
            _check_payer(wallet, command, now)
            return take_lease(wallet, command, now)
        case ExtendLease():
            return extend_lease(wallet, command, now)
        case SettleLease():
            return settle_lease(wallet, command, now)
        case ExpireLease():
            return expire_lease(wallet, command, now)
        case WriteOffLease():
            return write_off_lease(wallet, command, now)
        case _:
            assert_never(command)
