"""Invitations to an organization, each bound to one e-mail address."""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from shared.domain.access.accounts import comparable_address
from shared.domain.access.identity import Role
from shared.domain.access.project_access import ProjectGrant
from shared.domain.kernel.audit import Audit, Audited, by_value, verb_by_status
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.times import Instant

VALID_FOR = timedelta(days=7)
_KEPT = timedelta(days=37)
"""From the last change on, so that it can still be seen for a month after it expired."""
_KEPT_ACCEPTED = timedelta(days=1)
"""From its acceptance on: the address of somebody who leaves does not stay with it."""


class Invitation(Entity):
    """That who has an address may become a member. It is used once."""

    kind: ClassVar[str] = "invitation"
    audit: ClassVar[Audit] = Audited(
        area="invitations", verb=verb_by_status(accepted="accept"), personal={"email": by_value}
    )
    organization_id: str
    email: str
    role: Role
    projects: tuple[ProjectGrant, ...] | None = None
    invited_by: str
    """The id of the user or API key."""
    invited_by_member: bool
    """Whether that is a member, whose invitation ends where they may no longer give the role."""
    status: Literal["pending", "accepted"] = "pending"
    created_at: Instant
    expires_at: Instant

    def is_open(self, now: datetime) -> bool:
        """Whether it can be accepted."""
        return self.status == "pending" and now < self.expires_at

    @property
    def address_fingerprint(self) -> str:
        """Of the address that it is bound to."""
        return fingerprint(comparable_address(self.email))

    def is_for(self, email: str) -> bool:
        """Whether it is meant for this address."""
        return comparable_address(self.email) == comparable_address(email)

    def document(self) -> dict[str, Any]:
        kept = _KEPT_ACCEPTED if self.status == "accepted" else _KEPT
        return {**super().document(), "ttl": int(kept.total_seconds())}
