"""Subscriptions that are begun and changed."""

from datetime import timedelta

from shared.bootstrap import Application
from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError, ValidationError
from shared.domain.kernel.ids import named_id
from shared.domain.pricing.plans import PlanDraft
from shared.services.billing.subscription_commands import Cancel, Change, Command, Pause, Resume, Subscribe, Withdraw
from tests.doubles.worlds.invoiced_organization import ORGANIZATION, model
from tests.faults.in_turn.path import Path, Result

PLAN, LARGER = named_id("plan", "team"), named_id("plan", "larger")
SUBSCRIPTION = named_id("sub", "team")


async def offer(host: Application, plan_id: str, key: str, amount: str) -> None:
    """A plan with one fee in advance."""
    fee = {"key": "fee", "type": "flat_fee", "amount": amount, "timing": "advance"}
    _, version, _ = await host.billing_models.create(named_id("bm", key), None, model(fee))
    await host.plans.create(plan_id, PlanDraft(key=key, name=key, prices={"USD": version.id}))


async def command(host: Application, what: Command, name: str) -> None:
    """As a client that repeats it with the same key."""
    try:
        await host.subscriptions.command(ORGANIZATION, SUBSCRIPTION, what, named_id("cmd", name))
    except (ConflictError, NotFoundError, ValidationError) as error:  # what was made a moment ago cannot be read yet
        raise UnavailableError("The client tries again") from error


class BeginSubscription(Path):
    """A client subscribes, with three seats, in the middle of a month."""

    async def prepare(self) -> None:
        await offer(self.scene.host(), PLAN, "team", "31.00")

    async def walk(self, host: Application) -> None:
        await command(host, Subscribe(PLAN, seats=3), "subscribe")

    async def result(self) -> Result:
        months = await super().result()
        host = self.scene.host()
        places = await host.place_histories.of(ORGANIZATION)
        seats = (await host.organizations.get(ORGANIZATION)).seats
        owner = await host.owners.of(SUBSCRIPTION)
        assert places.revision == 1
        entries = [entry.value for entry in places.fees["base"].entries]
        return Result((months.exact, entries, [entry.value for entry in seats.entries], owner), months.undisturbed)


class ChangeSubscription(Path):
    """A client moves to a larger plan at once; the operator pauses it, resumes it and lets it end with the month."""

    async def prepare(self) -> None:
        host = self.scene.host()
        await offer(host, PLAN, "team", "31.00")
        await offer(host, LARGER, "larger", "62.00")
        await command(host, Subscribe(PLAN), "subscribe")

    async def walk(self, host: Application) -> None:
        commands: dict[str, Command] = {
            "change": Change(LARGER, seats=4),
            "pause": Pause(),
            "resume": Resume(),
            "later": Change(PLAN, at="period_end"),
            "withdraw": Withdraw(),
            "cancel": Cancel(),
        }
        for name, what in commands.items():
            self.scene.clock.move(timedelta(seconds=1))  # of two in one instant the second would not have begun
            await command(host, what, name)

    async def result(self) -> Result:
        months = await super().result()
        places = await self.scene.host().place_histories.of(ORGANIZATION)
        assert places.revision == 7
        states = [(entry.value.plan_id, entry.value.status) for entry in places.fees["base"].entries]
        return Result((months.exact, states), months.undisturbed)
