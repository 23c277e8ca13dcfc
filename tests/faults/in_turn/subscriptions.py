"""Subscriptions that are begun and changed."""

from datetime import timedelta

from shared.bootstrap import Application
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError, ValidationError
from shared.domain.kernel.ids import named_id
from shared.domain.pricing.plans import PlanDraft
from shared.services.billing.subscription_commands import Cancel, Change, Command, Pause, Resume, Subscribe, Withdraw
from tests.doubles.worlds.invoiced_organization import ORGANIZATION, model
from tests.faults.in_turn.path import Path, Result

PLAN, LARGER = named_id("plan", "team"), named_id("plan", "larger")
SUBSCRIPTION = named_id("sub", "team")


async def offer(host: Application, plan_id: str, key: str, amount: str, credits_included: str | None = None) -> None:
    """A plan with one fee in advance, and credits that never expire."""
    fee = {"key": "fee", "type": "flat_fee", "amount": amount, "timing": "advance"}
    _, version, _ = await host.billing_models.create(named_id("bm", key), None, model(fee))
    grant = {"key": "included", "amount": credits_included, "expires": "never"}
    grants = [] if credits_included is None else [grant]
    draft = {"key": key, "name": key, "prices": {"USD": version.id}, "grants": grants}
    await host.plans.create(plan_id, PlanDraft.model_validate(draft))


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


class BringCredits(Path):
    """A client subscribes to a plan with credits, moves to a larger one and back, and months go by."""

    async def prepare(self) -> None:
        host = self.scene.host()
        await offer(host, PLAN, "team", "31.00", "3100")
        await offer(host, LARGER, "larger", "62.00", "6200")

    async def walk(self, host: Application) -> None:
        commands: dict[str, Command] = {
            "subscribe": Subscribe(PLAN),
            "up": Change(LARGER),
            "down": Change(PLAN),
            "up again": Change(LARGER),
            "end": Cancel(),
        }
        for name, what in commands.items():
            self.scene.clock.move(timedelta(seconds=1))
            await command(host, what, name)

    async def result(self) -> Result:
        months = await super().result()
        host = self.scene.host()
        balance = await host.credits.balances.of(ORGANIZATION, DEFAULT_KIND)
        given, _ = await host.credits.balances.grants(ORGANIZATION, 100, None)
        assert balance.available == sum(state.record.amount - state.record.clawed_back for state in given)
        # Which interim invoice has a fee depends on which command was in time; the paths above hold that.
        return Result((months.exact, balance.available), None)
