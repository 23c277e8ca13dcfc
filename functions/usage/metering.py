"""The queue of accepted events: metered, or parked once the broker delivers them no more.

Traces in which a wait is over come by the same queue.
"""

import azure.functions as func

from shared.bootstrap import application
from shared.services.storage import retry_while_unavailable
from shared.services.usage.metering import Delivered

blueprint = func.Blueprint()


@blueprint.function_name("rate_usage")
@blueprint.service_bus_queue_trigger(
    arg_name="message",
    queue_name="usage",
    connection="ServiceBus",
    is_sessions_enabled=True,
    data_type=func.DataType.BINARY,
)
async def rate_usage(message: func.ServiceBusMessage) -> None:
    """Meters one message: with batches, the platform would serve one session at a time."""
    await retry_while_unavailable(lambda: application().usage_queue.receive(_delivered(message)))


@blueprint.function_name("park_dead_usage")
@blueprint.service_bus_queue_trigger(
    arg_name="message",
    queue_name="usage/$deadletterqueue",
    connection="ServiceBus",
    data_type=func.DataType.BINARY,
)
async def park_dead_usage(message: func.ServiceBusMessage) -> None:
    """Parks the events of a message that was delivered 100 times in vain."""
    await retry_while_unavailable(lambda: application().usage_queue.receive_dead(_delivered(message)))


def _delivered(message: func.ServiceBusMessage) -> Delivered:
    return Delivered(message.get_body(), message.message_id or "", message.correlation_id or "")
