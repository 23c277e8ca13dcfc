"""The SDK of Service Bus without its idle time: whether a link is open it asks every 50 ms, and every link, as it is
closed, sleeps for the rest of a second in which it looks after the connection.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from azure.servicebus._pyamqp.aio import _client_async
from azure.servicebus.aio import _servicebus_receiver_async, _servicebus_sender_async, _session_browser_async

_TIMES = 20
"""As fast."""


class _Asyncio:
    """The module, but for its sleep."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / _TIMES)


def make_prompt(set_attribute: Callable[[object, str, object], None] = setattr) -> None:
    for module in (_client_async, _servicebus_receiver_async, _servicebus_sender_async, _session_browser_async):
        set_attribute(module, "asyncio", _Asyncio())
