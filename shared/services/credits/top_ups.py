"""Top-ups that are open: what comes of them. Without payments each of them fails at once."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from shared.domain.credits.commands import FailTopUp
from shared.domain.credits.head import TopUps as TopUpState
from shared.domain.credits.top_ups import CURRENCY, charged_in, month_of
from shared.domain.kernel.audit import OWN_TRAIL, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.tenancy.organization_settings import TopUpSetting
from shared.ports.clock import Clock
from shared.ports.wallets import Wallets, Wanted
from shared.services.credits.ledger import Ledger
from shared.services.storage import Outbox, Stored
from shared.services.tenancy.organizations import Organizations

NO_PAYMENTS = "No payments are connected: nothing was bought and nothing was charged"


class DueTopUp(Entity):
    """What the sweep needs of a top-up that is open."""

    kind: ClassVar[str] = "credit_top_up"
    audit: ClassVar[Audit] = OWN_TRAIL
    payer: str


@dataclass(frozen=True, slots=True)
class TopUpStatus:
    """The setting of an organization, and how its top-ups stand."""

    setting: TopUpSetting | None
    state: TopUpState
    charged: Decimal
    """This local month."""
    currency: str = CURRENCY


class TopUps:
    def __init__(
        self, wallets: Wallets, ledger: Ledger, clock: Clock, organizations: Organizations, outbox: Outbox
    ) -> None:
        self._wallets = wallets
        self._ledger = ledger
        self._clock = clock
        self._organizations = organizations
        outbox.expect(DueTopUp)

    async def status(self, payer: str) -> TopUpStatus:
        organization = await self._organizations.get(payer)
        head = (await self._wallets.read(payer, Wanted())).wallet.head
        month = month_of(self._clock.now(), organization.calendars)
        return TopUpStatus(organization.own_settings.top_up, head.top_ups, charged_in(head, month))

    async def complete_due(self, due: Stored[DueTopUp]) -> None:
        """Close it as failed, and say in its wallet that it is over. Safe to repeat.

        Raises `NotFoundError` where it is not open and this did not close it: the read was stale, and the sweep comes
        again.
        """
        payer, id_ = due.entity.payer, due.entity.id
        command = FailTopUp(
            organization_id=payer, key=f"top_up:{id_}", by_system=True, top_up_id=id_, reason=NO_PAYMENTS
        )
        await self._ledger.run(payer, command)
        await self._wallets.close_top_up(payer, id_)
