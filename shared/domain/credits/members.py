"""Members of a wallet: the organizations that spend from it, and those that went to another payer."""

from datetime import datetime
from http import HTTPStatus
from typing import Literal

import msgspec

from shared.domain.kernel.errors import XyraError


class Member(msgspec.Struct, frozen=True):
    """Whether an organization spends from a wallet.

    Who pays for itself needs no such item. One that left never spends from it again, until it joins anew: the batch
    that says so changes the head, so that no batch decided before it succeeds after it.
    """

    organization_id: str
    state: Literal["joined", "left"]
    since: datetime
    """When the payer that this is about begins."""
    left: dict[str, int] = {}
    """Of one that joined: the wallets that it had left by then, each with a revision that has all it admitted there."""

    @property
    def id(self) -> str:
        return member_id(self.organization_id)


def member_id(organization_id: str) -> str:
    return f"member:{organization_id}"


class PayerChangedError(XyraError):
    """The organization does not spend from this wallet: its payer has to be found again."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"
    title = "Temporarily unavailable"

    def __init__(self, since: datetime | None) -> None:
        super().__init__("The payer of the organization is changing; repeat the request with the same Idempotency-Key")
        self.since = since
        """From when on another wallet pays, where it left this one."""
