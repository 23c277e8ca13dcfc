"""What goes over more grants than one transfer takes: it is done in parts."""

from collections import defaultdict
from decimal import Decimal

from shared.bootstrap import Application
from shared.domain.credits.accounts import moved
from shared.domain.credits.clawbacks import TAKINGS_AT_ONCE
from shared.domain.credits.commands import Clawback
from shared.domain.credits.grants import Grant, Terms
from shared.domain.credits.refunds import PARTS_AT_ONCE
from shared.domain.credits.transfers import Transfer
from shared.domain.kernel.errors import RateLimitedError, UnavailableError
from shared.domain.kernel.ids import named_id
from shared.ports.wallets import Wanted
from tests.doubles.worlds.invoiced_organization import NOW, ORGANIZATION
from tests.faults.in_turn.credits import KIND, CreditPath, Wallet
from tests.faults.in_turn.path import Result

AMOUNT = max(TAKINGS_AT_ONCE, PARTS_AT_ONCE) + 100
NUMBER = AMOUNT + 100
"""Grants of one credit: more than are taken, so that there is enough for another host at any time."""
OTHERS_USE = 5


class ManyGrants(CreditPath):
    async def crowd(self) -> None:
        """As by many batches, one after the other."""
        wallets = self.scene.host().credits.wallets
        stored = await wallets.read(ORGANIZATION, Wanted())
        wallet = stored.wallet.copy()
        for number in range(NUMBER):
            grant = Grant(named_id("grant", number), Terms("bonus"), NOW, Decimal(1), Decimal(1))
            wallet.grants(KIND).put(grant)
        lines = moved(KIND, ("granted.bonus", Decimal(-NUMBER)), ("free", Decimal(NUMBER)))
        id_, time = named_id("txn", "many"), wallet.advance(NOW)
        wallet.record(Transfer(id=id_, organization_id=ORGANIZATION, type="grant", time=time, lines=lines))
        wallet.finish()
        await wallets.commit(stored, wallet)

    async def result(self) -> Result:
        """Parts may be of other sizes where another host uses credits between them; their sums are not."""
        result = await super().result()
        amounts, kinds, counters = result.exact
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for kind, amount in kinds:
            sums[kind] += Decimal(amount)
        return Result((amounts, dict(sums), counters), None)


class RefundInParts(ManyGrants):
    async def prepare(self) -> None:
        await super().prepare()
        await self.crowd()
        await Wallet(self.scene.host()).use("before use", NUMBER + 100 - OTHERS_USE)

    async def walk(self, host: Application) -> None:
        wallet = Wallet(host)
        used = await wallet.use("before use", NUMBER + 100 - OTHERS_USE)
        refunded = await wallet.refund("refund", used.id, AMOUNT)
        assert refunded.answer["refunded"] == str(AMOUNT)


class ClawBackInParts(ManyGrants):
    """A payment is charged back after its credits were spent; then the organization wins."""

    grant = named_id("grant", "caller", ORGANIZATION, "purchase")

    async def prepare(self) -> None:
        await super().prepare()
        wallet = Wallet(self.scene.host())
        assert (await wallet.give("purchase", AMOUNT)).corrects == self.grant
        await wallet.use("before use", AMOUNT + 100)
        await self.crowd()

    async def walk(self, host: Application) -> None:
        for version, total in ((1, AMOUNT), (2, 0)):
            command = Clawback(
                organization_id=ORGANIZATION,
                key=f"clawback {version}",
                by_system=True,
                grant_id=self.grant,
                total=Decimal(total),
                version=version,
                reason="a test",
            )
            try:
                self.note(await host.credits.clawbacks.run(ORGANIZATION, command))
            except RateLimitedError as error:
                raise UnavailableError("The message comes again") from error
