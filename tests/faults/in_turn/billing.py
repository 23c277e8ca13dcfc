"""Invoice runs by the timer and on request, and drafts that are finalized."""

from shared.bootstrap import Application
from shared.containers import INVOICES
from shared.domain.billing.documents import Invoice
from shared.domain.kernel.errors import NotFoundError, UnavailableError
from shared.domain.kernel.ids import named_id
from shared.services.billing.invoice_runs import read_task
from tests.doubles.worlds.invoiced_organization import FEBRUARY, ORGANIZATION
from tests.faults.in_turn.path import Result
from tests.faults.in_turn.usage import KnownUsage

JOB = named_id("job", "faults")


ISSUED = ("pending", "overdue", "paid")


class IssueByTimer(KnownUsage):
    """The timer starts the runs and the queue does them: February is invoiced, January corrected."""

    async def prepare(self) -> None:
        await super().prepare()
        await self.accept()
        await self.scene.deliver_usage(self.scene.host())

    async def walk(self, host: Application) -> None:
        await host.invoice_runs.start_all()
        await self.scene.deliver_tasks(host)

    async def february(self) -> Invoice:
        read = [Invoice.read(each) for each in await self.scene.documents(INVOICES.name, ORGANIZATION, Invoice.kind)]
        (invoice,) = [invoice for invoice in read if invoice.start == FEBRUARY]
        return invoice

    async def result(self) -> Result:
        assert (await self.february()).status in ISSUED
        return await super().result()


class IssueOnRequest(IssueByTimer):
    """A client requests the same as a job."""

    async def walk(self, host: Application) -> None:
        await host.invoice_runs.request(JOB, ORGANIZATION, "2026-02", finalize=True)
        await self.scene.deliver_tasks(host)


class GiveUpJob(IssueByTimer):
    """The broker gave up on a job's message: the job says so, and the timer bills its month later."""

    async def prepare(self) -> None:
        await super().prepare()
        await self.scene.host().invoice_runs.request(JOB, ORGANIZATION, "2026-02", finalize=True)
        (start,) = self.scene.taken("invoices")
        await self.scene.host().invoice_runs.run(read_task(start.body))
        self.scene.redelivered = self.scene.taken("invoices")

    async def walk(self, host: Application) -> None:
        for message in self.scene.redelivered:
            await host.invoice_runs.give_up(message.body)

    async def result(self) -> Result:
        progress = await self.scene.host().invoice_jobs.progress(JOB)
        assert (progress.is_done, [part.status for part in progress.parts]) == (True, ["failed"])
        return await KnownUsage.result(self)


class Finalize(IssueByTimer):
    """An operator finalizes the draft of February."""

    async def prepare(self) -> None:
        await super().prepare()
        await self.scene.host().invoice_runs.request(JOB, ORGANIZATION, "2026-02", finalize=False)
        await self.scene.deliver_tasks(self.scene.host())

    async def walk(self, host: Application) -> None:
        try:
            organization = await host.organizations.get(ORGANIZATION)
            await host.issuing.finalize(organization, (await self.february()).id)
        except NotFoundError as error:
            raise UnavailableError("The client has seen the draft") from error
