"""Makes the SDK of Service Bus wait less, so that tests of it are quick.

The SDK asks every 50 ms whether a link is open. A link that is closed also sleeps for the rest of the second in which
it last looked after its connection.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from azure.servicebus._pyamqp.aio import _client_async
from azure.servicebus.aio import _servicebus_receiver_async, _servicebus_sender_async, _session_browser_async

_TIMES = 20
"""How many times shorter its sleeps become."""


class _Asyncio:
    """The module `asyncio` with a shorter `sleep`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / _TIMES)


def make_prompt(set_attribute: Callable[[object, str, object], None] = setattr) -> None:
    for module in (_client_async, _servicebus_receiver_async, _servicebus_sender_async, _session_browser_async):
        set_attribute(module, "asyncio", _Asyncio())
