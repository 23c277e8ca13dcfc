"""What comes by the queue of usage: events to meter, and traces in which a wait is over."""

import logging

from shared.services.ingestion.release_messages import read_release
from shared.services.ingestion.traces import Traces
from shared.services.usage.metering import Delivered, Metering

_log = logging.getLogger(__name__)


class UsageQueue:
    def __init__(self, metering: Metering, traces: Traces) -> None:
        self._metering = metering
        self._traces = traces

    async def receive(self, message: Delivered) -> None:
        """Raises `UnavailableError`; repeating is safe."""
        release = read_release(message.body)
        if release is None:
            await self._metering.meter([message])
        else:
            await self._traces.release(*release)

    async def receive_dead(self, message: Delivered) -> None:
        """Park the events of a message that the broker gave up on. What waits in a trace is left to the sweep."""
        release = read_release(message.body)
        if release is None:
            await self._metering.park_dead(message)
        else:
            _log.error("a trace could not be released in all deliveries", extra={"trace": release.trace})
