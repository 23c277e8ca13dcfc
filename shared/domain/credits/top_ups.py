"""Automatic top-ups: where the balance is low, a wallet asks for a package of credits to be bought.

They follow the level of the balance and not its fall: one is asked for as long as the balance is low, none is open, the
pause after the last one is over, and the month's maximum has room for the price.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from shared.domain.credits.commands import FailTopUp
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.credits.head import Head, TopUp
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.histories import History
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.money import EXACT, ZERO
from shared.domain.periods.periods import Calendar
from shared.domain.tenancy.organization_settings import PackageName, TopUpSetting


class Package(msgspec.Struct, frozen=True):
    """Credits, and their price in USD."""

    credits: Decimal
    price: Decimal


PACKAGES: Mapping[PackageName, Package] = {
    "small": Package(Decimal(100), Decimal("9.90")),
    "medium": Package(Decimal(500), Decimal("39.90")),
    "large": Package(Decimal(2000), Decimal("149.90")),
    "jumbo": Package(Decimal(5000), Decimal("349.90")),
}
CURRENCY = "USD"


def month_of(instant: datetime, calendars: History[Calendar]) -> str:
    """The local month, such as 2026-12."""
    timezone = (calendars.at(instant) or calendars.first).timezone
    return f"{instant.astimezone(ZoneInfo(timezone)):%Y-%m}"


def charged_in(head: Head, month: str) -> Decimal:
    """What top-ups of a month were charged."""
    return head.top_ups.charged if head.top_ups.month == month else ZERO


def ask_for_top_up(wallet: Wallet, setting: TopUpSetting | None, calendars: History[Calendar], now: datetime) -> None:
    """Open a top-up where one is due after a batch."""
    top_ups = wallet.head.top_ups
    if setting is None or top_ups.open is not None or wallet.available(DEFAULT_KIND) >= setting.threshold:
        return
    pause = timedelta(seconds=setting.cool_down_seconds)
    if top_ups.closed_at is not None and now < top_ups.closed_at + pause:
        return
    month = month_of(now, calendars)
    package, charged = PACKAGES[setting.package], charged_in(wallet.head, month)
    if EXACT.add(charged, package.price) > setting.monthly_maximum:
        return
    top_up = TopUp(
        id=named_id("top", wallet.payer, "top_up", wallet.head.sequence),
        package=setting.package,
        credits=package.credits,
        price=package.price,
        currency=CURRENCY,
        month=month,
        opened_at=now,
    )
    wallet.opened_top_ups.append(top_up)
    wallet.head = msgspec.structs.replace(
        wallet.head, top_ups=msgspec.structs.replace(top_ups, open=top_up, month=month, charged=charged)
    )


def fail_top_up(wallet: Wallet, command: FailTopUp, now: datetime) -> dict[str, Any]:
    """The month is charged nothing for it. Raises `NotFoundError` for one that is not open."""
    top_up = wallet.head.top_ups.open
    if top_up is None or top_up.id != command.top_up_id:
        raise NotFoundError("There is no such open top-up")
    top_ups = msgspec.structs.replace(wallet.head.top_ups, open=None, closed_at=now)
    wallet.head = msgspec.structs.replace(wallet.head, top_ups=top_ups)
    return {"amount": top_up.credits, "corrects": top_up.id, "reason": command.reason}
