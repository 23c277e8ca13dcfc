"""What wallets paid of closed periods, by line: items that never change, named by their hash."""

from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar

from shared import json
from shared.containers import INVOICES
from shared.domain.kernel.audit import FOLLOWS, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.money import plain
from shared.domain.kernel.times import to_text
from shared.services.periods.periods import Drawn, PeriodItem
from shared.services.storage import Records, Store


class DrawnAmounts(Entity):
    """Money by line key."""

    kind: ClassVar[str] = "drawn_amounts"
    audit: ClassVar[Audit] = FOLLOWS
    amounts: dict[str, Decimal]


class DrawnAmountsStore:
    """Written before the period that names them."""

    def __init__(self, store: Store) -> None:
        self._amounts = Records(store, INVOICES, DrawnAmounts)

    async def of(self, organization_id: str, period: PeriodItem) -> Mapping[str, Decimal] | None:
        """None as long as the wallet still pays. Raises `UnavailableError` where they cannot be read yet."""
        if period.drawn is None:
            return None
        return (await self._amounts.get_created(organization_id, _id(period, period.drawn.hash))).entity.amounts

    async def write(
        self, organization_id: str, period: PeriodItem, version: int, amounts: Mapping[str, Decimal]
    ) -> Drawn:
        """How the period names them. Repeating it changes nothing."""
        drawn = Drawn(version=version, hash=hash_of_amounts(amounts))
        await self._amounts.ensure(organization_id, DrawnAmounts(id=_id(period, drawn.hash), amounts=dict(amounts)))
        return drawn


def hash_of_amounts(amounts: Mapping[str, Decimal]) -> str:
    return fingerprint(json.encode({key: plain(amount) for key, amount in sorted(amounts.items())}))[:32]


def _id(period: PeriodItem, digest: str) -> str:
    return f"drawn:{to_text(period.start)}:{digest}"
