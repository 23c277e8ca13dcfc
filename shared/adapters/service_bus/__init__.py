"""Azure Service Bus: sending, and for the local host receiving.

The queues need sessions and duplicate detection, and must not be partitioned because a batch spans sessions.
"""

from shared.adapters.service_bus.namespace import ServiceBusNamespace
from shared.adapters.service_bus.queue import ServiceBusQueue
from shared.adapters.service_bus.receiving import ServiceBusBroker

__all__ = ["ServiceBusBroker", "ServiceBusNamespace", "ServiceBusQueue"]
