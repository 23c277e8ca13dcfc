"""Billing models that are created, and published in new versions."""

from datetime import timedelta

from shared.bootstrap import Application
from shared.domain.kernel.errors import NotFoundError, PreconditionFailedError, UnavailableError, ValidationError
from shared.domain.kernel.ids import named_id
from shared.domain.pricing.plans import PlanDraft
from tests.doubles.worlds.invoiced_organization import COMMANDS, MODEL, NOW, ORGANIZATION, model, reported
from tests.faults.in_turn.path import Path, Result

DEARER = COMMANDS | {"pricing": {"type": "per_unit", "unit_amount": "2"}}
LATER = NOW + timedelta(days=7)


class CreateModel(Path):
    """A client creates a billing model."""

    model_id = named_id("bm", "new")

    async def walk(self, host: Application) -> None:
        created, version, _ = await host.billing_models.create(self.model_id, ORGANIZATION, model(COMMANDS))
        assert (created.id, version.number) == (self.model_id, 1)

    async def result(self) -> Result:
        months = await super().result()
        created, _ = await self.scene.host().billing_models.get(ORGANIZATION, self.model_id)
        owner = await self.scene.host().owners.of(self.model_id)
        return Result((months.exact, created, owner), months.undisturbed)


class PublishVersion(Path):
    """A client doubles the price from next week on.

    What is used later in March costs twice as much.
    """

    async def walk(self, host: Application) -> None:
        try:
            await host.billing_models.publish(ORGANIZATION, MODEL, model(DEARER, LATER), None)
        except PreconditionFailedError as error:
            raise UnavailableError("The client reads the model again") from error
        except ValidationError as error:  # a version from then on is there already
            assert await self._published(), error  # noqa: PT017  what the client would look up

    async def _published(self) -> bool:
        created, _ = await self.scene.host().billing_models.get(ORGANIZATION, MODEL)
        return created.versions.last.number > 1

    async def result(self) -> Result:
        self.scene.clock.set(LATER + timedelta(days=1))
        host = self.scene.host()
        await host.events.accept([reported("m-later", 7, LATER + timedelta(hours=1))], partial=False)
        months = await super().result()
        created, _ = await self.scene.host().billing_models.get(ORGANIZATION, MODEL)
        return Result((months.exact, created.versions), months.undisturbed)


class CreatePlan(Path):
    """The operator makes a plan, and then its second version."""

    plan_id = named_id("plan", "new")
    model_id = named_id("bm", "of plan")

    async def prepare(self) -> None:
        """The plans that every deployment begins with are there."""
        await self.scene.host().plans.page(1, None)

    async def walk(self, host: Application) -> None:
        try:
            await self._create(host)
        except (PreconditionFailedError, NotFoundError, ValidationError) as error:
            raise UnavailableError("The client reads again what it has just made") from error

    async def _create(self, host: Application) -> None:
        fee = {"key": "fee", "type": "flat_fee", "amount": "10"}
        _, version, _ = await host.billing_models.create(self.model_id, None, model(fee))
        draft = PlanDraft(key="new", name="New", prices={"USD": version.id})
        plan, etag = await host.plans.create(self.plan_id, draft)
        if len(plan.versions) == 1:
            await host.plans.publish(self.plan_id, draft, etag)

    async def result(self) -> Result:
        months = await super().result()
        host = self.scene.host()
        plan, _ = await host.plans.get(self.plan_id)
        versions = [version.number for version in await host.plans.versions(plan)]
        assert versions == [1, 2]
        keys = sorted(plan.key for plan in (await host.plans.page(100, None)).entities)
        return Result((months.exact, versions, keys), months.undisturbed)
