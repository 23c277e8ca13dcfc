"""`python -m local` with usage metered in batches: what single messages are measured against.

Batches with sessions are served one session at a time on each instance.
"""

import json
import sys
import tempfile
import typing
from pathlib import Path

import azure.functions as func

from function_app import app
from local import __main__ as local
from shared.bootstrap import application
from shared.services.storage import retry_while_unavailable
from shared.services.usage.metering import Delivered

MESSAGES_PER_BATCH = 64


@app.function_name("rate_usage_batches")
@app.service_bus_queue_trigger(
    arg_name="messages",
    queue_name="usage",
    connection="ServiceBus",
    is_sessions_enabled=True,
    cardinality=func.Cardinality.MANY,
    data_type=func.DataType.BINARY,
)
async def rate_usage_batches(messages: typing.List[func.ServiceBusMessage]) -> None:  # noqa: UP006  the worker rejects list
    delivered = [Delivered(each.get_body(), each.message_id or "", each.correlation_id or "") for each in messages]
    await retry_while_unavailable(lambda: application().metering.meter(delivered))


def main() -> int:
    host_json = json.loads(local.HOST_JSON.read_text(encoding="utf-8"))
    host_json["extensions"]["serviceBus"]["maxMessageBatchSize"] = MESSAGES_PER_BATCH
    with tempfile.TemporaryDirectory(prefix="xyra-batches-") as folder:
        local.HOST_JSON = Path(folder) / "host.json"
        local.HOST_JSON.write_text(json.dumps(host_json), encoding="utf-8")
        return local.main()


if __name__ == "__main__":
    sys.exit(main())
