"""The services by which organizations and people leave with what is theirs, wired."""

from shared.ports.clock import Clock
from shared.ports.remnants import Remnants
from shared.services.access.api_keys import ApiKeys
from shared.services.access.erasures import Erasures
from shared.services.access.members import Members
from shared.services.access.sessions import Sessions
from shared.services.access.users import Users
from shared.services.storage import Outbox, Owners
from shared.services.storage.audit.store import AuditedStore
from shared.services.storage.idempotency import Idempotency
from shared.services.storage.sealed_values import SealedValues
from shared.services.tenancy.exports import Exports
from shared.settings import Settings


class LeavingServices:
    def __init__(  # noqa: PLR0913  the ports and neighbours of both
        self,
        store: AuditedStore,
        clock: Clock,
        chosen: Settings,
        remnants: Remnants,
        owners: Owners,
        sealed_values: SealedValues,
        outbox: Outbox,
        users: Users,
        members: Members,
        sessions: Sessions,
        keys: ApiKeys,
        idempotency: Idempotency,
    ) -> None:
        self.exports = Exports(store, clock, owners, sealed_values, outbox, chosen.public_origin)
        self.erasures = Erasures(
            *(store, users, members, sessions, keys),
            *(store.personal, idempotency, self.exports, outbox, remnants),
        )
