"""The service that takes traces: waiting, released, bounded; in one process and in two."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.bootstrap import Application, Ports
from shared.domain.access.reporting import Reporting
from shared.domain.ingestion.spans import Span
from shared.domain.kernel.errors import UnavailableError
from shared.ports.queue import Message
from shared.ports.store import Operation, StaleEtagError
from shared.services.ingestion.trace_records import partition_of, slot_of
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.worlds.billing_world import NoSecrets
from tests.doubles.worlds.plain_spans import TRACE, agent_run, call
from tests.doubles.worlds.trace_world import ORGANIZATION, WAITING, World, identity


class BrokenQueue(MemoryQueue):
    async def send(self, queue: str, messages: Sequence[Message]) -> None:
        raise UnavailableError(f"{queue} does not take {len(messages)} messages")


@pytest.fixture
async def world() -> World:
    return await World().prepared()


async def test_a_call_waits_for_the_span_that_names_its_agent(world: World) -> None:
    await world.send(call("call", "run", answer="a"))
    assert await world.agents_of_calls() == {}
    assert (await world.host.waiting_calls.of(ORGANIZATION)) == (1, world.clock.now())
    answer = await world.send(agent_run("run"))
    assert answer.notices == ["agent run was made"]
    assert await world.agents_of_calls() == {identity("a"): "run"}
    assert (await world.host.waiting_calls.of(ORGANIZATION)).calls == 0


async def test_what_waited_long_enough_goes_to_the_service_by_a_scheduled_message(world: World) -> None:
    await world.send(call("call", "gone", answer="a"))
    (release,) = world.releases()
    assert release.not_before == world.clock.now() + timedelta(seconds=300)
    await world.pass_time(timedelta(seconds=299))
    assert await world.agents_of_calls() == {}
    await world.pass_time(timedelta(seconds=1))
    assert await world.agents_of_calls() == {identity("a"): "helpdesk"}
    assert (await world.host.waiting_calls.of(ORGANIZATION)) == (0, None)
    await world.send(agent_run("gone"), call("call", "gone", answer="a"))
    assert await world.agents_of_calls() == {identity("a"): "helpdesk"}


async def test_the_sweep_releases_where_the_message_was_lost(world: World) -> None:
    await world.send(call("call", "gone", answer="a"))
    world.queue.waiting.clear()
    world.clock.move(timedelta(seconds=316))
    await world.host.outbox.sweep()
    assert await world.agents_of_calls() == {identity("a"): "helpdesk"}
    assert await world.store.due("inbox", "9999") == []


async def test_a_default_agent_lets_nothing_wait(world: World) -> None:
    reporting = Reporting(default_agent="fallback", make_agents=WAITING.make_agents)
    await world.send(call("call", "gone", answer="a"), reporting=reporting)
    assert await world.agents_of_calls() == {identity("a"): "fallback"}
    assert world.releases() == []


async def test_the_key_says_how_long_calls_wait(world: World) -> None:
    await world.send(call("call", "gone", answer="a"), reporting=Reporting(agent_wait_seconds=3600))
    (release,) = world.releases()
    assert release.not_before == world.clock.now() + timedelta(hours=1)
    await world.send(call("other", "gone", answer="b"), reporting=Reporting(agent_wait_seconds=0))
    assert list(await world.agents_of_calls()) == [identity("b")]


@pytest.mark.parametrize("turn", range(4))
async def test_two_processes_that_get_call_and_ancestor_at_once_leave_nothing_waiting(turn: int) -> None:
    world = await World().prepared()
    other = world.another_host()
    sends = [
        world.send(*(call(f"call-{number}", "run", answer=f"{number}") for number in range(5))),
        world.send(agent_run("run"), host=other),
    ]
    await asyncio.gather(*(sends if turn % 2 else reversed(sends)))
    assert await world.agents_of_calls() == {identity(f"{number}"): "run" for number in range(5)}
    assert (await world.host.waiting_calls.of(ORGANIZATION)).calls == 0


async def test_of_traces_stored_together_one_that_changed_meanwhile_holds_up_no_other() -> None:
    world = await World().prepared()
    numbers = range(16, 96, 16)  # of one slot
    other = world.another_host()

    class Interrupted(MemoryStore):
        """Before the first memories are stored, another process stores what a trace lacks."""

        interrupted = 0

        async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
            if container == "inbox" and len(operations) > 1 and not self.interrupted:
                self.interrupted = len(operations)
                await world.send(in_trace(agent_run("run"), 32), host=other)
            return await super().batch(container, pk, operations)

    store = Interrupted()
    store.__dict__.update(world.store.__dict__)
    host = Application(Ports(store, world.queue, world.clock, NoSecrets()), world.settings)
    await world.send(*(in_trace(call("call", "run", answer=f"{number}"), number) for number in numbers), host=host)
    assert store.interrupted == len(numbers)
    assert await world.agents_of_calls() == {identity("32"): "run"}
    await world.send(*(in_trace(agent_run("run"), number) for number in numbers))
    assert await world.agents_of_calls() == {identity(f"{number}"): "run" for number in numbers}
    assert (await world.host.waiting_calls.of(ORGANIZATION)).calls == 0


async def test_beyond_the_most_that_may_wait_calls_go_on_at_once(world: World) -> None:
    world = await World(Settings(maximum_waiting_calls=3)).prepared()
    for number in range(5):
        await world.send(in_trace(call(f"call-{number}", "gone", answer=f"{number}"), number + 1))
    assert await world.agents_of_calls() == {identity("3"): "helpdesk", identity("4"): "helpdesk"}
    await world.pass_time(timedelta(seconds=301))
    assert len(await world.agents_of_calls()) == 5


async def test_what_waits_is_counted_anew_however_often_calls_come() -> None:
    world = await World(Settings(maximum_waiting_calls=3)).prepared()
    other = world.another_host()
    for number in range(6):
        await world.send(in_trace(call("call", "run", answer=f"{number}"), number + 1))
        await world.send(in_trace(agent_run("run"), number + 1), host=other)  # which the first process does not see
        world.clock.move(timedelta(seconds=5))
    assert await world.agents_of_calls() == {identity(f"{number}"): "run" for number in range(6)}


def in_trace(span: Span, number: int) -> Span:
    return replace(span, trace_id=f"{number:032x}")


async def test_calls_that_were_stored_and_not_sent_are_sent_by_the_sweep(world: World) -> None:
    broken = Application(Ports(world.store, BrokenQueue(), world.clock, NoSecrets()), world.settings)
    with pytest.raises(UnavailableError):
        await world.send(call("call", answer="a"), host=broken)
    await world.send(call("call", answer="a"))  # known already
    assert await world.agents_of_calls() == {}
    world.clock.move(timedelta(seconds=6))
    await world.host.outbox.sweep()
    assert await world.agents_of_calls() == {identity("a"): "helpdesk"}


async def test_three_thousand_spans_of_one_trace_count_once_in_a_bounded_item(world: World) -> None:
    calls = [call(f"c{number:07d}", "root", answer=f"{number}") for number in range(3000)]
    reporting = Reporting(default_agent="fallback", make_agents=WAITING.make_agents)
    await world.send(*calls, reporting=reporting)
    await world.send(*calls[:500], reporting=reporting)
    assert len(await world.agents_of_calls()) == 3000
    item = await world.store.get("inbox", partition_of(ORGANIZATION, slot_of(TRACE)), TRACE)
    assert item is not None
    assert len(str(item.document)) < 1_500_000


async def test_a_sum_under_the_id_of_a_call_in_another_trace_and_request_is_never_another_call(world: World) -> None:
    await world.send(in_trace(call("call", answer="a"), 1))
    await world.send(in_trace(agent_run("run", tokens=(200, 20), answer="a"), 2), host=world.another_host())
    await world.pass_time(timedelta(seconds=301))
    assert await world.agents_of_calls() == {identity("a"): "helpdesk"}


async def test_a_call_under_the_id_of_a_sum_that_counted_in_another_trace_is_inside_it(world: World) -> None:
    await world.send(in_trace(agent_run("run", tokens=(200, 20), answer="a"), 1))
    await world.pass_time(timedelta(seconds=301))
    last, larger = call("last", answer="a"), call("larger", answer="a", tokens=(300, 30))
    await world.send(in_trace(last, 2), host=world.another_host())
    assert await world.agents_of_calls() == {identity("a", (200, 20)): "run"}
    await world.send(in_trace(larger, 3))
    assert len(await world.agents_of_calls()) == 2


@pytest.mark.parametrize(("maximum", "made"), [(0, 0), (2, 2), (1000, 4)])
async def test_at_most_so_many_agents_are_made_in_a_day(maximum: int, made: int) -> None:
    world = await World(Settings(maximum_made_agents=maximum)).prepared()
    answer = await world.send(*(agent_run(name, tokens=(10, 1), answer=name) for name in ("a", "b", "c", "d")))
    assert answer.rejected == []
    await world.pass_time(timedelta(seconds=301))
    assert len(await world.host.agents.all(ORGANIZATION)) == made
    assert len(await world.agents_of_calls()) == 4
    world.clock.move(timedelta(days=1))
    late = replace(call("later", answer="later"), start=0, end=int(world.clock.now().timestamp()) * 1_000_000)
    await world.send(replace(late, service="tomorrows"))
    assert len(await world.host.agents.all(ORGANIZATION)) == made + (maximum > 0)


async def test_prompts_and_answers_are_neither_stored_nor_sent_nor_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    said = {
        "gen_ai__input__messages": "my secret question",
        "gen_ai__output__messages": "the secret answer",
        "gen_ai__prompt__0__content": "my secret question",
        "input__value": "my secret question",
    }
    await world.send(call("waits", "run", answer="a", **said), call("complete", answer="b", **said))
    await world.send(agent_run("run", **said))
    assert len(await world.agents_of_calls()) == 2
    kept = f"{vars(world.store)} {world.queue.waiting} {caplog.text}"
    assert "gpt-5" in kept
    assert "secret" not in kept


async def test_spans_after_the_end_of_the_organization_are_rejected(world: World) -> None:
    await world.host.organizations.delete(ORGANIZATION, None)
    world.clock.move(timedelta(minutes=20))
    late = replace(call("late", answer="a"), end=int(world.clock.now().timestamp()) * 1_000_000)
    answer = await world.send(late, host=world.another_host())
    assert answer.rejected == [f"span {late.span_id}: the organization had been deleted by then"]
    assert await world.agents_of_calls() == {}


async def test_a_trace_that_many_change_at_once_is_to_be_sent_again(world: World) -> None:
    class Contended(MemoryStore):
        async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
            if pk == partition_of(ORGANIZATION, slot_of(TRACE)):
                raise StaleEtagError(f"somebody was first in {container}")
            return await super().batch(container, pk, operations)

    contended = Contended()
    contended.__dict__.update(world.store.__dict__)
    host = Application(Ports(contended, world.queue, world.clock, NoSecrets()), world.settings)
    with pytest.raises(UnavailableError, match="send it again"):
        await world.send(call("call", answer="a"), host=host)
