"""Subscriptions that are begun."""

from shared.bootstrap import Application
from shared.domain.kernel.errors import UnavailableError, ValidationError
from shared.domain.kernel.ids import named_id
from shared.domain.pricing.plans import PlanDraft
from shared.services.billing.subscriptions import SubscriptionDraft
from tests.doubles.worlds.invoiced_organization import ORGANIZATION, model
from tests.faults.in_turn.path import Path, Result

PLAN = named_id("plan", "team")
SUBSCRIPTION = named_id("sub", "team")


class Subscribe(Path):
    """A client subscribes, with three seats, in the middle of a month."""

    async def prepare(self) -> None:
        host = self.scene.host()
        fee = {"key": "fee", "type": "flat_fee", "amount": "31.00", "timing": "advance"}
        _, version, _ = await host.billing_models.create(named_id("bm", "of plan"), None, model(fee))
        await host.plans.create(PLAN, PlanDraft(key="team", name="Team", prices={"USD": version.id}))

    async def walk(self, host: Application) -> None:
        try:
            made = await host.subscriptions.subscribe(SUBSCRIPTION, ORGANIZATION, SubscriptionDraft(PLAN, seats=3))
        except ValidationError as error:  # the plan cannot be read yet
            raise UnavailableError("The client tries again") from error
        assert (made.id, made.status) == (SUBSCRIPTION, "active")

    async def result(self) -> Result:
        months = await super().result()
        host = self.scene.host()
        places = await host.place_histories.of(ORGANIZATION)
        seats = (await host.organizations.get(ORGANIZATION)).seats
        owner = await host.owners.of(SUBSCRIPTION)
        assert places.revision == 1
        entries = [entry.value for entry in places.fees["base"].entries]
        return Result((months.exact, entries, [entry.value for entry in seats.entries], owner), months.undisturbed)
