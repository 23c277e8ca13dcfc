"""What an integrator writes with the generated Python client: report an event, list invoices, meet an error.

Runs in the generators' environment: `use_generated_client.py BASE_URL TOKEN`. Prints what it got as one JSON object.
"""

import json
import sys

from xyra_client import AuthenticatedClient
from xyra_client.api.billing import get_invoice, list_invoices
from xyra_client.api.usage import report_events
from xyra_client.models import EventRequest, Problem


def main(base_url: str, token: str) -> None:
    client = AuthenticatedClient(base_url=base_url, token=token)
    event = EventRequest.from_dict({"id": "call-1", "type": "command", "agent": "coder", "data": {"quantity": "2"}})
    reported = report_events.sync(client=client, body=event)
    invoices = list_invoices.sync(client=client)
    missing = get_invoice.sync_detailed("inv_00000000000000000000000000", client=client)
    assert isinstance(missing.parsed, Problem), missing
    print(
        json.dumps(
            {
                "accepted": reported.accepted,
                "totals": [str(invoice.total) for invoice in invoices.data],
                "status": int(missing.status_code),
                "problem": missing.parsed.type_,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
