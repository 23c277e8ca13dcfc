"""Agents that are created, put on another billing model, and deleted."""

from contextlib import suppress
from datetime import timedelta

from shared.bootstrap import Application
from shared.containers import TENANTS
from shared.domain.kernel.errors import ConflictError, NotFoundError, PreconditionFailedError, UnavailableError
from shared.domain.kernel.ids import named_id
from shared.domain.tenancy.limits import QuotaUse
from shared.services.storage.quotas import recount
from tests.doubles.worlds.invoiced_organization import AGENT, FEE_MODEL, MODEL, ORGANIZATION, Scene, agent
from tests.faults.in_turn.path import Path, Result


async def check_agents_are_counted(host: Application) -> None:
    """The quota's counter has as many as there are."""
    there_are = [agent for agent in await host.agents.all(ORGANIZATION) if agent.status != "deleted"]
    assert (await host.limits.of(ORGANIZATION)).use.of("agents") == len(there_are)


class CreateAgent(Path):
    """A client creates an agent on a model, from the beginning of the year."""

    agent_id = named_id("agt", "new")

    async def walk(self, host: Application) -> None:
        await self._create(host, self.agent_id, "new")

    async def do_other(self, host: Application) -> None:
        await self._create(host, named_id("agt", "other"), "other")

    async def _create(self, host: Application, agent_id: str, name: str) -> None:
        created, _ = await host.agents.create(agent_id, ORGANIZATION, agent(name, MODEL))
        assert created.id == agent_id

    async def result(self) -> Result:
        months = await super().result()
        host = self.scene.host()
        agents = await host.agents.resolve(ORGANIZATION, {"new", "other", self.agent_id})
        owner = await host.owners.of(self.agent_id)
        await check_agents_are_counted(host)
        ids = {reference: found.id for reference, found in agents.items()}
        return Result((months.exact, ids, owner), months.undisturbed)


class ChangeModel(Path):
    """A client puts an agent on a billing model with a fee in advance. Meanwhile others rename the agent."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.names = 0

    async def walk(self, host: Application) -> None:
        await self._update(host, {"billing_model_id": FEE_MODEL})

    async def do_other(self, host: Application) -> None:
        await super().do_other(host)
        self.names += 1
        await self._update(host, {"name": f"Name {self.names}"})

    async def _update(self, host: Application, changes: dict[str, str]) -> None:
        try:
            await host.agents.update(ORGANIZATION, AGENT, changes, None)
        except PreconditionFailedError as error:
            raise UnavailableError("The client reads the agent again") from error

    async def result(self) -> Result:
        """No change undid another."""
        before, _ = await self.scene.host().agents.get(ORGANIZATION, AGENT)
        assert before.billing_model_id == FEE_MODEL
        assert before.name == (f"Name {self.names}" if self.names else "a")
        return await super().result()


class DeleteAgent(Path):
    """A client deletes an agent; what it did before stays billed."""

    async def walk(self, host: Application) -> None:
        try:
            with suppress(NotFoundError):  # an earlier try got through
                await host.agents.delete(ORGANIZATION, AGENT, None)
        except PreconditionFailedError as error:
            raise UnavailableError("The client reads the agent again") from error

    async def result(self) -> Result:
        await check_agents_are_counted(self.scene.host())
        return await super().result()


class RecountQuotas(CreateAgent):
    """The operator counts anew what an organization has. Meanwhile a client creates an agent."""

    async def prepare(self) -> None:
        await super().prepare()
        host = self.scene.host()
        await self._create(host, self.agent_id, "new")
        item = await self.scene.store.get(TENANTS.name, ORGANIZATION, QuotaUse().id)
        assert item is not None
        drifted = {**item.document, "used": {**item.document["used"], "agents": 77}}
        await self.scene.store.replace(TENANTS.name, ORGANIZATION, drifted, item.etag)
        self.scene.clock.move(timedelta(minutes=5))

    async def walk(self, host: Application) -> None:
        try:
            await recount(host.audited_store, ORGANIZATION)
        except ConflictError as error:
            raise UnavailableError("The operator tries again") from error
