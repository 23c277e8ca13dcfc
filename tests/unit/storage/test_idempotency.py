"""One idempotency key: one request and one answer, with several hosts, reads that lag behind, and work cut short.

All hosts share a store; a host whose reads lag does not see the last write to a record.
"""

import asyncio
import base64
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import pytest

from shared.containers import TENANTS
from shared.domain.kernel.errors import ConflictError, IdempotencyConflictError, UnavailableError, XyraError
from shared.domain.kernel.ids import named_id
from shared.ports.store import Item, Store
from shared.services.storage import OPERATOR
from shared.services.storage.idempotency import Answer, Idempotency
from tests.doubles.fakes import virtual_time
from tests.doubles.fakes.fault_in_turn import Fault, FaultInTurnStore, RememberingStore, Script
from tests.doubles.fakes.settable_clock import SettableClock

RECORD = named_id("idem", OPERATOR, "key")
Act = Callable[[], Awaitable[Answer]]


def answer(text: str) -> Answer:
    return Answer(201, {}, "application/json", text.encode())


class LaggingStore(FaultInTurnStore):
    """Shows an item as it was before its last write, for some reads.

    They are the first ones.
    """

    def __init__(self, inner: RememberingStore, times: int) -> None:
        super().__init__(inner, Script())
        self._before = inner
        self._times = times

    async def get(self, container: str, pk: str, id: str) -> Item | None:  # noqa: A002  the field's name everywhere
        if self._times == 0:
            return await super().get(container, pk, id)
        self._times -= 1
        return await self._before.replica(Fault.STALE_BY_ALL).get(container, pk, id)


@dataclass
class Hosts:
    store: RememberingStore = field(
        default_factory=lambda: RememberingStore(SettableClock(datetime(2026, 11, 21, tzinfo=UTC)))
    )
    acted: list[str] = field(default_factory=list)

    async def send(self, request: str, act: Act | None = None, store: Store | None = None) -> str:
        """Each time to another host. The answer says which time it was that this request was acted on."""

        async def acts() -> Answer:
            self.acted.append(request)
            return await act() if act else answer(f"{request}, {self.acted.count(request)}")

        host = Idempotency(store or self.store)
        return (await host.once(owner=None, key="key", request_hash=request, act=acts)).body.decode()

    def lagging(self, times: int = 1) -> LaggingStore:
        return LaggingStore(self.store, times)

    def failing(self, call: int, fault: Fault) -> FaultInTurnStore:
        return FaultInTurnStore(self.store, Script(call, fault))


@pytest.fixture
def hosts() -> Hosts:
    return Hosts()


async def unavailable() -> Answer:
    raise UnavailableError("The store did not say")


async def refused() -> Answer:
    raise ConflictError("There is one already")


async def dies() -> Answer:
    raise asyncio.CancelledError


async def takes_long() -> Answer:
    await asyncio.sleep(30)
    return answer("late")


def test_an_answer_with_a_credential_is_given_once_and_never_kept(hosts: Hosts) -> None:
    async def shows_a_token() -> Answer:
        return msgspec.structs.replace(answer("the token"), kept=answer("without it"))

    async def history() -> None:
        assert await hosts.send("a", shows_a_token) == "the token"
        assert await hosts.send("a", shows_a_token) == "without it"
        record = await hosts.store.get(TENANTS.name, OPERATOR, RECORD)
        assert record is not None
        assert "the token" not in str(record.document)
        assert hosts.acted == ["a"]

    virtual_time.run(history())


def test_whoever_was_slow_to_make_a_credential_is_shown_it(hosts: Hosts) -> None:
    """Another call took over meanwhile, and could not make it a second time."""

    async def shows_a_token() -> Answer:
        await asyncio.sleep(30)
        return msgspec.structs.replace(answer("the token"), kept=answer("without it"))

    async def history() -> None:
        slow, fast = await asyncio.gather(
            hosts.send("a", shows_a_token), hosts.send("a", refused), return_exceptions=True
        )
        assert slow == "the token"
        assert isinstance(fast, ConflictError)
        assert await hosts.send("a", refused) == "without it"

    virtual_time.run(history())


def test_a_lagging_host_does_not_act_on_another_request(hosts: Hosts) -> None:
    async def history() -> None:
        first = await hosts.send("a")
        with pytest.raises(IdempotencyConflictError):
            await hosts.send("b", store=hosts.lagging())
        assert await hosts.send("a") == first
        assert hosts.acted == ["a"]

    virtual_time.run(history())


def test_a_lagging_host_gives_the_answer_that_was_given(hosts: Hosts) -> None:
    async def history() -> None:
        first = await hosts.send("a")
        assert await hosts.send("a", store=hosts.lagging(3)) == first
        assert hosts.acted == ["a"]

    virtual_time.run(history())


def test_what_cannot_be_seen_is_not_acted_on(hosts: Hosts) -> None:
    async def history() -> None:
        await hosts.send("a")
        for request in ("a", "b"):
            with pytest.raises(UnavailableError):
                await hosts.send(request, store=hosts.lagging(1000))
        assert hosts.acted == ["a"]

    virtual_time.run(history())


@pytest.mark.parametrize(("act", "error"), [(unavailable, UnavailableError), (dies, asyncio.CancelledError)])
def test_after_an_unknown_outcome_only_the_same_request_goes_on(
    hosts: Hosts, act: Act, error: type[BaseException]
) -> None:
    async def history() -> None:
        with pytest.raises(error):
            await hosts.send("a", act)
        with pytest.raises(IdempotencyConflictError):
            await hosts.send("b")
        assert await hosts.send("a") == "a, 2"
        assert await hosts.send("a") == "a, 2"
        assert hosts.acted == ["a", "a"]

    virtual_time.run(history())


@pytest.mark.parametrize("repeat", [answer("again"), None], ids=["acts again", "is refused"])
def test_an_unknown_outcome_is_not_forgotten_over_a_refusal(hosts: Hosts, repeat: Answer | None) -> None:
    """What the first try did is there, or may be: the key is never another request's."""

    async def acts_again() -> Answer:
        return repeat or await refused()

    async def history() -> None:
        with pytest.raises(UnavailableError):
            await hosts.send("a", unavailable)
        if repeat:
            assert await hosts.send("a", acts_again) == "again"
        else:
            with pytest.raises(ConflictError):
                await hosts.send("a", acts_again)
        with pytest.raises(IdempotencyConflictError):
            await hosts.send("b")

    virtual_time.run(history())


def test_a_refusal_frees_the_key(hosts: Hosts) -> None:
    """For a body that was put right."""

    async def history() -> None:
        with pytest.raises(ConflictError):
            await hosts.send("a", refused)
        assert await hosts.send("b") == "b, 1"
        assert hosts.acted == ["a", "b"]

    virtual_time.run(history())


def test_a_lagging_host_does_not_hold_a_refused_request_against_another(hosts: Hosts) -> None:
    """It still sees the record of the refused request, although the corrected one was answered."""
    seen: list[Item] = []

    class SeesTheRefused(FaultInTurnStore):
        async def get(self, container: str, pk: str, id: str) -> Item | None:  # noqa: A002  the field's name everywhere
            return seen.pop() if seen else await super().get(container, pk, id)

    async def refused_once_seen() -> Answer:
        kept = await hosts.store.get(TENANTS.name, OPERATOR, RECORD)
        assert kept is not None
        seen.append(kept)
        return await refused()

    async def history() -> None:
        with pytest.raises(ConflictError):
            await hosts.send("a", refused_once_seen)
        first = await hosts.send("b")
        assert await hosts.send("b", store=SeesTheRefused(hosts.store, Script())) == first
        assert seen == []

    virtual_time.run(history())


def test_two_hosts_with_one_request_at_once_give_one_answer(hosts: Hosts) -> None:
    """The second waits, and goes on where the first takes too long.

    The first answer kept is both's.
    """

    async def history() -> None:
        slow, fast = await asyncio.gather(hosts.send("a", takes_long), hosts.send("a"))
        assert slow == fast == "a, 2"
        assert await hosts.send("a") == "a, 2"

    virtual_time.run(history())


def test_a_slow_refusal_does_not_free_the_key_of_who_took_it_over(hosts: Hosts) -> None:
    """And whoever was answered meanwhile, by whichever host, is answered so again."""

    async def refused_late() -> Answer:
        await asyncio.sleep(30)
        return await refused()

    async def history() -> None:
        slow, fast = await asyncio.gather(hosts.send("a", refused_late), hosts.send("a"))
        assert slow == fast == "a, 2"
        with pytest.raises(IdempotencyConflictError):
            await hosts.send("b")

    virtual_time.run(history())


def test_a_slow_refusal_does_not_free_the_key_under_work_that_goes_on(hosts: Hosts) -> None:
    async def refused_late() -> Answer:
        await asyncio.sleep(10)
        return await refused()

    async def other_request() -> None:
        await asyncio.sleep(15)
        with pytest.raises(IdempotencyConflictError):
            await hosts.send("b")

    async def history() -> None:
        first, second, other = await asyncio.gather(
            hosts.send("a", refused_late), hosts.send("a", takes_long), other_request(), return_exceptions=True
        )
        assert isinstance(first, ConflictError)
        assert (second, other) == ("late", None)
        assert hosts.acted == ["a", "a"]

    virtual_time.run(history())


def test_a_slow_call_keeps_its_answer_where_another_gave_up_on_it(hosts: Hosts) -> None:
    """The other had taken over, and did not get to the end."""

    async def history() -> None:
        outcomes = await asyncio.gather(
            hosts.send("a", takes_long), hosts.send("a", unavailable), return_exceptions=True
        )
        assert outcomes[0] == "late"
        assert isinstance(outcomes[1], UnavailableError)
        assert await hosts.send("a") == "late"

    virtual_time.run(history())


def test_of_two_requests_at_once_one_is_acted_on(hosts: Hosts) -> None:
    async def history() -> None:
        outcomes = await asyncio.gather(hosts.send("a", takes_long), hosts.send("b"), return_exceptions=True)
        assert outcomes[0] == "late"
        assert isinstance(outcomes[1], IdempotencyConflictError)
        assert hosts.acted == ["a"]

    virtual_time.run(history())


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER, Fault.DIES_BEFORE, Fault.DIES_AFTER])
def test_an_answer_that_may_not_be_kept_is_still_only_its_requests(hosts: Hosts, fault: Fault) -> None:
    """Acted, and cut short at the write of the answer."""

    async def history() -> None:
        with pytest.raises((UnavailableError, asyncio.CancelledError)):
            await hosts.send("a", store=hosts.failing(2, fault))
        with pytest.raises(IdempotencyConflictError):
            await hosts.send("b")
        kept = await hosts.send("a")
        assert kept == ("a, 1" if fault in (Fault.AFTER, Fault.DIES_AFTER) else "a, 2")
        assert await hosts.send("a") == kept

    virtual_time.run(history())


def test_a_refusal_that_cannot_free_the_key_is_repeated(hosts: Hosts) -> None:
    async def history() -> None:
        with pytest.raises(UnavailableError):
            await hosts.send("a", refused, store=hosts.failing(2, Fault.BEFORE))
        with pytest.raises(XyraError, match="There is one already"):
            await hosts.send("a", refused)

    virtual_time.run(history())


@pytest.mark.parametrize("size", [100, 64 * 1024, 64 * 1024 + 1, 1_100_000, 5_000_000])
def test_an_answer_of_any_size_is_given_again(hosts: Hosts, size: int) -> None:
    """Also one that no item of a store could hold as it is."""
    text = "".join(chr(0x1F600 + number % 40) + '"\\' for number in range(size // 6))

    async def large() -> Answer:
        return answer(text)

    async def history() -> None:
        assert await hosts.send("a", large) == text
        assert await hosts.send("a", refused) == text
        assert hosts.acted == ["a"]

    virtual_time.run(history())


def test_what_cannot_be_kept_is_answered_and_done_again(hosts: Hosts) -> None:
    """Nothing compresses noise: the work is done, so its caller gets the answer."""
    noise = base64.b85encode(random.Random(7).randbytes(2_500_000)).decode()

    async def large() -> Answer:
        return answer(noise)

    async def history() -> None:
        assert await hosts.send("a", large) == noise
        assert await hosts.send("a", large) == noise
        assert hosts.acted == ["a", "a"]

    virtual_time.run(history())
