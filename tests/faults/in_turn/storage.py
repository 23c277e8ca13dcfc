"""The outbox that a timer sweeps, and requests under one idempotency key."""

import asyncio
import random
from contextlib import suppress
from datetime import timedelta

from shared import json
from shared.bootstrap import Application
from shared.domain.access.identity import Permission, Principal
from shared.domain.kernel.errors import IdempotencyConflictError, UnavailableError
from shared.domain.kernel.ids import fingerprint, named_id, new_id
from shared.http import Call, NoBody, PathValues, Query
from shared.ports.store import Item
from shared.services.storage import OutboxEntry
from shared.services.storage.idempotency import Answer
from shared.services.tenancy.organizations import OrganizationDraft
from tests.doubles.fakes.fault_in_turn import Fault, FaultInTurnQueue, Script
from tests.doubles.fakes.faulty_store import FaultyStore
from tests.doubles.worlds.invoiced_organization import MODEL, ORGANIZATION, Scene, agent
from tests.faults.in_turn.access import ADA, assert_signed_up, signing_up
from tests.faults.in_turn.billing import JOB
from tests.faults.in_turn.path import Path, Result, until_done
from tests.faults.in_turn.usage import LATE_AND_NEW, KnownUsage


class BlindToOutbox(FaultyStore):
    """Its reads do not show an outbox entry yet: what would be done at once is left for the sweep."""

    async def get(self, container: str, pk: str, id: str) -> Item | None:  # noqa: A002  the field's name everywhere
        return None if id.startswith(OutboxEntry.kind) else await super().get(container, pk, id)


class SweepOutbox(KnownUsage):
    """The timer does what was left: periods changed by late usage and by an agent that starts in the past, a sign-up
    and a job that were cut short.
    """

    async def prepare(self) -> None:
        await super().prepare()
        blind = BlindToOutbox(self.scene.store, self.scene.clock, random.Random(1))
        host = self.scene.host_with(blind, self.scene.queue)
        await host.events.accept(list(LATE_AND_NEW), partial=False)
        await self.scene.deliver_usage(host)
        await host.agents.create(named_id("agt", "late"), ORGANIZATION, agent("c", MODEL))
        with suppress(asyncio.CancelledError):
            await self.scene.host(Script(1, Fault.DIES_AFTER)).accounts.sign_up(signing_up(ADA))
        refusing = FaultInTurnQueue(self.scene.queue, Script(1, Fault.BEFORE))
        with suppress(UnavailableError):
            host = self.scene.host_with(self.scene.store, refusing)
            await host.invoice_runs.request(JOB, ORGANIZATION, "2026-02", finalize=True)
        self.scene.clock.move(timedelta(seconds=10))

    async def walk(self, host: Application) -> None:
        """Twice, as the timer does: at first not everything is due."""
        await host.outbox.sweep()
        self.scene.clock.move(timedelta(minutes=2))
        await host.outbox.sweep()

    async def result(self) -> Result:
        months = await super().result()
        await assert_signed_up(self.scene)
        done = (await self.scene.host().invoice_jobs.progress(JOB)).is_done
        return Result((months.exact, done), months.undisturbed)


class UseOneKeyTwice(Path):
    """Two requests under one idempotency key, each of which creates an organization. The second is sent whatever became
    of the first, even where that is not known.
    """

    operator = Principal("usr_1", None, frozenset(Permission))

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.answers: list[bytes] = []

    async def walk(self, host: Application) -> None:
        try:
            await self._request(host, "First")
        finally:
            await self._request(host, "Second")

    async def do_other(self, host: Application) -> None:
        await self._request(host, "Second")

    async def _request(self, host: Application, name: str) -> None:
        call = self._call(host, name)

        async def act() -> Answer:
            draft = OrganizationDraft(name=name, currency="USD", timezone="UTC")
            created = await host.organizations.create(call.new_id("org"), draft)
            return Answer(201, {}, "application/json", json.encode({"id": created.id, "answer": new_id("answer")}))

        with suppress(IdempotencyConflictError):
            answer = await host.idempotency.once(owner=None, key="key", request_hash=call.request_hash, act=act)
            self.answers.append(answer.body)

    def _call(self, host: Application, name: str) -> Call:
        return Call(
            services=host,
            principal=self.operator,
            body=NoBody(),
            query=Query(),
            path=PathValues(),
            headers={},
            now=self.scene.clock.now(),
            if_match=None,
            idempotency_key="key",
            request_hash=fingerprint(name),
        )

    async def result(self) -> Result:
        """One organization was created, whichever request came first, and every answer names it."""
        await self.scene.drain()
        host = self.scene.host()
        await until_done(self, host)
        (answer,) = set(self.answers)
        organizations = (await host.organizations.list(1000, None))[0]
        (created,) = [organization for organization in organizations if organization.name in ("First", "Second")]
        assert json.decode(answer)["id"] == created.id
        return Result(None, None)
