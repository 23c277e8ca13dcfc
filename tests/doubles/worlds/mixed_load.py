"""Load under which hosts are killed: batches, single events, repeats and overlapping batches."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

import aiohttp

from tests.doubles.clients.xyra_client import Organization
from tests.doubles.clients.xyra_process import XyraProcess
from tests.doubles.worlds.numbered_usage import event

SENDERS = 6
LONGEST_PAST = timedelta(days=15)
"""The maximum age of an event."""
REPEATED_FOR = timedelta(days=60)
"""The age up to which an event is repeated; from 90 days on it would be refused."""

_SIZES = (1, 2, 10, 60, 200)
_LARGEST_EXTENDED = 600
"""A request takes this many repeats with new events on both sides."""
_REMEMBERED = 500
_MILLISECONDS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Step:
    """A usage event, with a number that no other event of any organization has."""

    number: int
    organization: int
    time: datetime

    @property
    def month(self) -> str:
        return f"{self.time:%Y-%m}"


Request = list[Step]
"""The events of one request, all of one organization."""


class MixedLoad:
    """Sends events. Sooner or later it repeats what was not acknowledged: as it was, in another order, or among other
    events.
    """

    def __init__(
        self, random: Random, hosts: Sequence[XyraProcess], organizations: Sequence[Organization], now: datetime
    ) -> None:
        self.requests = 0
        self.acknowledged_requests = 0
        self.repeated_events = 0
        """Events that were acknowledged once more."""
        self.acknowledged: defaultdict[tuple[int, str], set[Step]] = defaultdict(set)
        """Acknowledged events by organization and month."""
        self._random = random
        self._hosts = hosts
        self._organizations = organizations
        self._now = now
        self._numbers = 0
        self._unanswered: list[Request] = []
        self._recent: deque[Request] = deque(maxlen=_REMEMBERED)

    @property
    def doubtful(self) -> set[Step]:
        """Sent and not acknowledged: each may count or not, until it is sent again."""
        return {step for request in self._unanswered for step in request if not self._is_acknowledged(step)}

    @property
    def acknowledged_events(self) -> int:
        return sum(map(len, self.acknowledged.values()))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send until the block ends, then wait for the open requests."""
        stopping = asyncio.Event()
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as senders:
            for _ in range(SENDERS):
                senders.create_task(self._send_until(stopping, session))
            yield
            stopping.set()

    async def until_acknowledged(self, requests: int) -> None:
        """Wait until that many more were acknowledged."""
        wanted = self.acknowledged_requests + requests
        while self.acknowledged_requests < wanted:  # noqa: ASYNC110  the senders move it
            await asyncio.sleep(0.002)

    async def settle(self) -> None:
        """Send what was not acknowledged until it is."""
        async with aiohttp.ClientSession() as session:
            while self._unanswered:
                await self._send(session, self._unanswered.pop())

    def move_to(self, now: datetime) -> None:
        """Tell the load that the hosts' clock was set."""
        self._now = now
        kept = [request for request in self._recent if min(step.time for step in request) > now - REPEATED_FOR]
        self._recent = deque(kept, maxlen=_REMEMBERED)

    async def _send_until(self, stopping: asyncio.Event, session: aiohttp.ClientSession) -> None:
        while not stopping.is_set():
            if any(host.base for host in self._hosts):
                await self._send(session, self._next_request())
            else:
                await asyncio.sleep(0.01)

    async def _send(self, session: aiohttp.ClientSession, request: Request) -> None:
        self.requests += 1
        if not await self._is_accepted(session, request):
            self._unanswered.append(request)
            return
        self._recent.append(request)
        self.acknowledged_requests += 1
        for step in request:
            self.repeated_events += self._is_acknowledged(step)
            self.acknowledged[step.organization, step.month].add(step)

    async def _is_accepted(self, session: aiohttp.ClientSession, request: Request) -> bool:
        base = self._random.choice([host.base for host in self._hosts if host.base])
        headers = self._organizations[request[0].organization].key.headers
        events = [event(step.number, step.time.isoformat()) for step in request]
        body = events[0] if len(events) == 1 else events
        try:
            async with session.post(f"{base}/api/v1/events", json=body, headers=headers) as response:
                answer = await response.text()
        except (aiohttp.ClientError, ConnectionError):
            return False
        assert response.status in (202, 503), answer
        return response.status == 202

    def _is_acknowledged(self, step: Step) -> bool:
        return step in self.acknowledged[step.organization, step.month]

    def _next_request(self) -> Request:
        choice = self._random.random()
        if self._unanswered and choice < 0.5:
            return self._varied(self._unanswered.pop(self._random.randrange(len(self._unanswered))))
        if self._recent and choice > 0.6:
            return self._varied(self._random.choice(self._recent))
        return self._new(self._random.randrange(len(self._organizations)))

    def _varied(self, request: Request) -> Request:
        """The same events: as they were, in another order, or with new ones on both sides."""
        match self._random.randrange(3):
            case 0:
                return request
            case 1 if len(request) <= _LARGEST_EXTENDED:
                organization = request[0].organization
                return [*self._new(organization), *request, *self._new(organization)]
            case _:
                return self._random.sample(request, len(request))

    def _new(self, organization: int) -> Request:
        size = self._random.randint(1, self._random.choice(_SIZES))
        self._numbers += size
        return [Step(self._numbers - place, organization, self._some_time()) for place in range(size)]

    def _some_time(self) -> datetime:
        return self._now - self._random.randrange(LONGEST_PAST // _MILLISECONDS) * _MILLISECONDS
