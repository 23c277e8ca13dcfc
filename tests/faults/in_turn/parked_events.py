"""Parked events that are replayed or discarded, and messages that the broker gave up on."""

from contextlib import suppress
from datetime import timedelta
from typing import ClassVar

from shared import json
from shared.bootstrap import Application
from shared.containers import LEDGERS, TENANTS
from shared.domain.kernel.errors import ConflictError
from tests.doubles.worlds.invoiced_organization import AGENT, ORGANIZATION, counted, delivered
from tests.faults.in_turn.path import Result
from tests.faults.in_turn.usage import KnownUsage

PARKED = f"{ORGANIZATION}:parked:0"


class ParkedUsage(KnownUsage):
    """The usage is parked because its agent could not be found; then it could."""

    async def prepare(self) -> None:
        await super().prepare()
        await self.accept()
        hidden = await self.scene.store.get(TENANTS.name, ORGANIZATION, AGENT)
        assert hidden is not None
        await self.scene.store.delete(TENANTS.name, ORGANIZATION, AGENT)
        await self.scene.deliver_usage(self.scene.host())
        await self.scene.store.create(TENANTS.name, ORGANIZATION, hidden.document)
        assert len(await self.parked(self.scene.host())) == 4
        self.scene.clock.move(timedelta(minutes=1))

    async def parked(self, host: Application) -> list[str]:
        page, _ = await host.parked_events.page(ORGANIZATION, "parked", 100, None)
        return [entry.id for entry in page]

    async def replay(self, host: Application) -> None:
        organization = await host.organizations.get(ORGANIZATION)
        await host.parked_events.replay(organization, await self.parked(host), "usr_1")
        await self.scene.deliver_usage(host)

    async def assert_rated_by_replays(self) -> None:
        """Two replays: one meters what is parked, the next one closes the entries of what was found metered."""
        host = self.scene.host()
        await self.replay(host)
        await self.replay(host)
        assert await self.parked(host) == []


class Replay(ParkedUsage):
    """An operator replays it until nothing is parked any more."""

    async def walk(self, host: Application) -> None:
        await self.replay(host)

    async def result(self) -> Result:
        await self.assert_rated_by_replays()
        assert len(await self.scene.documents(LEDGERS.name, PARKED, "rated")) == 4
        return await super().result()


class DiscardWhileReplayed(ParkedUsage):
    """An operator replays it; another discards it while it is on its way.

    A third replays what is left.
    """

    quantities: ClassVar = {"j3": 4, "m1": 1, "m2": 2, "m3": 3}

    async def walk(self, host: Application) -> None:
        organization = await host.organizations.get(ORGANIZATION)
        await host.parked_events.replay(organization, await self.parked(host), "usr_1")
        await self.discard(host)
        await self.scene.deliver_usage(host)

    async def discard(self, host: Application) -> None:
        organization = await host.organizations.get(ORGANIZATION)
        for id_ in await self.parked(host):
            with suppress(ConflictError):  # it has been metered, or is being changed and shown again
                await host.parked_events.discard(organization, id_, "Not wanted", "usr_1")

    async def do_other(self, host: Application) -> None:
        await self.replay(host)

    async def result(self) -> Result:
        """Each event is either metered or discarded; its entry says which.

        Only metered ones count.
        """
        await self.scene.drain()
        host = self.scene.host()
        await self.replay(host)
        await self.discard(host)
        assert await self.parked(host) == []
        found = await counted(self.scene)
        entries = {
            kind: {
                json.decode(entry["subject"])["id"] for entry in await self.scene.documents(LEDGERS.name, PARKED, kind)
            }
            for kind in ("rated", "discarded")
        }
        assert entries["rated"] | entries["discarded"] == set(self.quantities)
        assert entries["rated"] & entries["discarded"] == set()
        assert entries["rated"] == set(self.quantities) & set(found["events"])
        march_rated = [self.quantities[id_] for id_ in entries["rated"] if id_.startswith("m")]
        assert found["months"] == {
            "2026-01": (3, 12) if "j3" in entries["rated"] else (2, 8),
            "2026-02": (2, 6),
            "2026-03": (4 + len(march_rated), 4 + sum(march_rated)),
        }
        return Result(None, entries)


class ParkDeadUsage(ParkedUsage):
    """The broker delivers a message no more: its events are parked, and a replay meters them."""

    async def prepare(self) -> None:
        await KnownUsage.prepare(self)
        await self.accept()
        self.scene.redelivered = self.scene.taken("usage")

    async def walk(self, host: Application) -> None:
        for message in delivered(self.scene.redelivered):
            await host.metering.park_dead(message)

    async def result(self) -> Result:
        await self.assert_rated_by_replays()
        return await super().result()
