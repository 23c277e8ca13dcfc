"""An invoice run reaches every organization, however many there are, in pages."""

from collections import Counter

import pytest

from shared.bootstrap import Application, Ports
from shared.services.billing.invoice_runs import QUEUE, Task, read_task
from shared.services.tenancy.organizations import OrganizationDraft
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets
from tests.doubles.worlds.invoiced_organization import NOW, SETTINGS

COUNT = 200
JOB = "job_1"


class Runs:
    """A host with many organizations, and the messages that its runs send."""

    def __init__(self) -> None:
        self.queue = MemoryQueue()
        self.host = Application(Ports(MemoryStore(), self.queue, SettableClock(NOW), NoSecrets()), SETTINGS)
        self.sent_at_once: list[int] = []

    async def prepare(self) -> None:
        for number in range(COUNT):
            draft = OrganizationDraft(name=f"Organization {number}", currency="USD", timezone="UTC")
            await self.host.organizations.create(f"org_{number}", draft)

    async def followed(self, *, twice: bool = False) -> Counter[str]:
        """How often a message was sent for each organization, by following the pages."""
        reached: Counter[str] = Counter()
        seen: set[str] = set()
        while messages := [each for each in self.queue.waiting.pop(QUEUE, []) if each.message_id not in seen]:
            seen |= {message.message_id for message in messages}  # as the broker does
            self.sent_at_once.append(len(messages))
            for message in messages:
                task = read_task(message.body)
                if task.organization_id is not None:
                    reached[task.organization_id] += 1
                    continue
                for _ in range(1 + twice):
                    await self.host.invoice_runs.run(task)
        return reached


@pytest.fixture
async def runs() -> Runs:
    runs = Runs()
    await runs.prepare()
    return runs


async def test_the_timer_sends_for_each_organization_once_and_a_page_at_a_time(runs: Runs) -> None:
    await runs.host.invoice_runs.start_all()
    reached = await runs.followed()
    assert reached == Counter(f"org_{number}" for number in range(COUNT))
    assert len(runs.sent_at_once) > 2
    assert max(runs.sent_at_once) < 100


async def test_a_page_that_is_delivered_twice_begins_no_second_row_of_pages(runs: Runs) -> None:
    await runs.host.invoice_runs.start_all()
    await runs.followed(twice=True)
    once = Runs()
    await once.prepare()
    await once.host.invoice_runs.start_all()
    await once.followed()
    assert len(runs.sent_at_once) == len(once.sent_at_once)


async def test_a_job_knows_all_its_parts_when_its_last_page_was_sent(runs: Runs) -> None:
    await runs.host.invoice_runs.request(JOB, None, "2026-02", finalize=False)
    (start,) = runs.queue.waiting.pop(QUEUE)
    await runs.host.invoice_runs.run(read_task(start.body))
    assert not (await runs.host.invoice_jobs.created(JOB)).fanned_out
    assert len(await runs.followed()) == COUNT
    assert (await runs.host.invoice_jobs.created(JOB)).fanned_out


async def test_a_message_from_before_there_were_pages_begins_with_the_first(runs: Runs) -> None:
    await runs.host.invoice_runs.run(Task())
    assert len(await runs.followed()) == COUNT
