"""Alerts of balances and budgets: sent by the wallet's outbox, and listed for their organization."""

from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

import msgspec

from shared.containers import TENANTS
from shared.domain.credits.alert import Alert, AlertType
from shared.domain.credits.counters import Scope, Unit
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.audit import FOLLOWS, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.times import Instant
from shared.services.storage import Operation, Outbox, Page, Records, Store, putting

CREDIT_ALERTS = "credit_alerts"
"""The effect of a batch that raises alerts: one entry for all of them."""
KEPT = timedelta(days=400)


class CreditAlert(Entity):
    """An alert of an organization. Its id sorts by its time."""

    kind: ClassVar[str] = "credit_alert"
    audit: ClassVar[Audit] = FOLLOWS
    organization_id: str
    type: AlertType
    time: Instant
    credit_kind: str
    used: Decimal
    threshold: Decimal
    unit: Unit
    share: Decimal | None = None
    budget_id: str | None = None
    scope: Scope | None = None
    reference: str | None = None
    window_start: Instant | None = None
    window_end: Instant | None = None

    @classmethod
    def of(cls, alert: Alert) -> "CreditAlert":
        fields = {name: value for name, value in msgspec.structs.asdict(alert).items() if name != "kind"}
        return cls(**fields, credit_kind=alert.kind)


class CreditAlerts:
    def __init__(self, store: Store, outbox: Outbox) -> None:
        self._alerts = Records(store, TENANTS, CreditAlert, prefix="alert")
        self._sender = outbox.sender(CREDIT_ALERTS)

    def beside(self, wallet: Wallet) -> list[Operation]:
        """The outbox entry that belongs into a batch: one for all alerts that it raises, if any."""
        if not wallet.alerts:
            return []
        text = msgspec.json.encode(wallet.alerts).decode()
        return [putting(self._sender.entry(f"{CREDIT_ALERTS}:{wallet.head.revision}", alerts=text))]

    async def record(self, alerts: str) -> None:
        """What happens for `CREDIT_ALERTS`: each of them is listed. Safe to repeat."""
        for alert in msgspec.json.decode(alerts, type=list[Alert]):
            await self._alerts.create(alert.organization_id, CreditAlert.of(alert), expires_in=KEPT)

    async def page(self, organization_id: str, limit: int, cursor: str | None) -> Page[CreditAlert]:
        """Newest first. Raises `MalformedError`."""
        return await self._alerts.page(organization_id, descending=True, limit=limit, cursor=cursor)
