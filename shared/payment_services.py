"""The services of payments by a provider, wired: a part of the application."""

from collections.abc import Mapping

from shared.domain.kernel.entity import Entity
from shared.ports.clock import Clock
from shared.ports.payment_events import PaymentEvents
from shared.ports.payments import PaymentModes
from shared.ports.queue import Queue
from shared.services.access.erasures import Erasures
from shared.services.payments.credit_packages import CreditPackages
from shared.services.payments.customers import PaymentCustomers
from shared.services.payments.publishable_keys import PublishableKeys
from shared.services.payments.received_events import ReceivedEvent, ReceivedEvents
from shared.services.storage import Outbox, Store
from shared.services.storage.outbox import Completion
from shared.settings import Settings


class PaymentServices:
    """What the application has as `payments`."""

    def __init__(  # noqa: PLR0913  the ports of all of them
        self,
        store: Store,
        clock: Clock,
        queue: Queue,
        outbox: Outbox,
        events: PaymentEvents,
        modes: PaymentModes,
        chosen: Settings,
        erasures: Erasures,
    ) -> None:
        self.customers = PaymentCustomers(store, clock, modes)
        erasures.also(self.customers.forget)
        self.publishable_keys = PublishableKeys(chosen.stripe_publishable_key)
        self.credit_packages = CreditPackages(store)
        self.received_events = ReceivedEvents(store, clock, queue, events, outbox, {})

    def completions(self) -> Mapping[type[Entity], Completion]:
        return {ReceivedEvent: self.received_events.complete_due}
