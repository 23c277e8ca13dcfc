"""Who a request's changes are put down to on the audit trail."""

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from shared.domain.access.identity import Principal
from shared.domain.access.origins import masked
from shared.domain.kernel.audit import ANONYMOUS_ID, Actor, ActorType
from shared.http.client_addresses import address_in, forwarded_for

NOBODY_YET = Actor("system", ANONYMOUS_ID)
"""Until a credential is shown."""


def stranger(headers: Mapping[str, str], trusted_hops: int) -> Actor:
    """Who calls, as long as no credential was looked at: somebody of a network."""
    return _stranger(forwarded_for(headers), trusted_hops)


@lru_cache(1_000)
def _stranger(addresses: str, trusted_hops: int) -> Actor:
    """Remembered, as the next requests of a connection come by the same proxies."""
    return msgspec.structs.replace(NOBODY_YET, ip=masked(address_in(addresses, trusted_hops)))


def actor_of(principal: Principal, network: str | None) -> Actor:
    """The user or machine that calls from a network, with the root of the key and the session of the user."""
    if principal.key is not None:
        machine: ActorType = "api_key" if principal.key.service_account is None else "service_account"
        return Actor(machine, principal.id, root_id=principal.root_id, ip=network)
    kind: ActorType = "operator" if principal.is_operator else "user"
    return Actor(kind, principal.id, session_id=principal.session_id, ip=network)
