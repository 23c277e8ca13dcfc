"""Organizations that are created, and spread over more shards."""

from typing import Any

from shared.bootstrap import Application
from shared.containers import DIRECTORY
from shared.domain.kernel.errors import ConflictError, UnavailableError
from shared.domain.kernel.ids import named_id
from shared.services.tenancy.organizations import OrganizationDraft
from tests.doubles.worlds.invoiced_organization import ORGANIZATION, Scene
from tests.faults.in_turn.path import Path, Result


class CreateOrganization(Path):
    """A client creates an organization that takes its slug from its name. Meanwhile another one does, too."""

    organization_id = named_id("org", "new")

    async def walk(self, host: Application) -> None:
        await self._create(host, self.organization_id)

    async def do_other(self, host: Application) -> None:
        await self._create(host, named_id("org", "other"))

    async def _create(self, host: Application, organization_id: str) -> None:
        draft = OrganizationDraft(name="New", currency="USD", timezone="UTC", external_id=f"their {organization_id}")
        created = await host.organizations.create(organization_id, draft)
        assert created.id == organization_id

    async def result(self) -> Result:
        await self.scene.drain()
        host = self.scene.host()
        created = await host.organizations.get(self.organization_id)
        references = (created.id, created.slug, created.external_id or "")
        found = [await host.organizations.find(reference) for reference in references]
        listed = [organization.id for organization in (await host.organizations.list(1000, None))[0]]
        assert listed.count(created.id) == 1
        claims = [
            item.document["organization_id"]
            for slug in self.scene.store.partitions_of(DIRECTORY.name)
            if slug.startswith("slug:") and (item := await self.scene.store.get(DIRECTORY.name, slug, "organization"))
        ]
        return Result((found, claims.count(created.id)), created.slug)


class AddShards(Path):
    """A client spreads the usage over twice as many shards, ten minutes ahead. Meanwhile others rename the
    organization.
    """

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.names = 0

    async def walk(self, host: Application) -> None:
        await self._update(host, {"shard_count": 4})

    async def do_other(self, host: Application) -> None:
        await super().do_other(host)
        self.names += 1
        await self._update(host, {"name": f"Name {self.names}"})

    async def _update(self, host: Application, changes: dict[str, Any]) -> None:
        try:
            await host.organizations.update(ORGANIZATION, changes, None)
        except ConflictError as error:
            raise UnavailableError("The client reads the organization again") from error

    async def result(self) -> Result:
        """No change undid another."""
        before = await self.scene.host().organizations.get(ORGANIZATION)
        assert before.largest_shard_count == 4
        assert before.name == (f"Name {self.names}" if self.names else "Acme")
        return await super().result()
