"""Users, memberships and sign-ups."""

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict

from shared.domain.access.identity import OPERATOR_ONLY, ROLE_PERMISSIONS, OperatorRole, Permission, Role
from shared.domain.access.project_access import ProjectGrant, all_permissions, granted
from shared.domain.access.second_factors import SecondFactors, verb_of_factors
from shared.domain.access.users import NotificationPreferences
from shared.domain.kernel.audit import Audit, Audited, Target, by_value
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.times import Instant

MAXIMUM_FORMER_ORGANIZATIONS = 1_000
"""That an account remembers."""
ACCOUNT = "account"
"""The id of an account in the partition of its user, and of the claim in the partition of its address."""


class Membership(Entity):
    """A user's role in an organization; the id is the user's."""

    kind: ClassVar[str] = "member"
    audit: ClassVar[Audit] = Audited(area="members", ignored=frozenset({"sessions_ended_at"}))
    role: Role
    joined_at: Instant
    sessions_ended_at: Instant | None = None
    """Sessions in the organization that began until then have ended."""
    projects: tuple[ProjectGrant, ...] | None = None
    """The projects that the member is limited to: the role gives nothing then. None is no limit."""
    suspended: bool = False
    """Whether the account is disabled, so that the member may do nothing."""

    @property
    def is_owner(self) -> bool:
        """Whether it is an owner who can sign in."""
        return self.role == "owner" and not self.suspended

    def project_permissions(self) -> Mapping[str, frozenset[Permission]] | None:
        """By project what the member may do there; None without a limit to projects."""
        return None if self.projects is None else granted(self.projects)

    def permissions(self) -> frozenset[Permission]:
        """What the member may do in the organization, or in at least one of the projects."""
        if self.suspended:
            return frozenset()
        projects = self.project_permissions()
        return ROLE_PERMISSIONS[self.role] - OPERATOR_ONLY if projects is None else all_permissions(projects)


def _verb_of_account(before: Any, after: Any) -> str | None:  # noqa: ANN401  accounts
    """The claim of its address decides a sign-up, and tells of it. Accounts of before are moved, which says nothing."""
    if before is None or after is None or before.status == "pending":
        return None
    if before.status != after.status:
        return "deactivate" if after.status == "disabled" else "activate"
    if before.verified_at != after.verified_at:
        return "verify_email"
    if before.password_hash != after.password_hash:
        return "change_password" if after.password_hash is not None else "reset_password"
    return _verb_of_further_change(before, after)


def _verb_of_further_change(before: Any, after: Any) -> str | None:  # noqa: ANN401  accounts
    if before.second_factors != after.second_factors:
        return verb_of_factors(before.second_factors, after.second_factors)
    if _is_only_asked_for(before, after):
        return None
    return "update" if before.sessions_ended_at == after.sessions_ended_at else "end_sessions"


def _is_only_asked_for(before: Any, after: Any) -> bool:  # noqa: ANN401  accounts
    """Whether nothing but the newest link changed, which anybody can ask for."""
    return bool(before.changed(newest_reset=after.newest_reset) == after)


def trails_of_account(account: Any) -> tuple[str, ...]:  # noqa: ANN401  an account
    """Of all organizations of the person, and the operator's for its own people."""
    return (*account.organization_ids, *(("operator",) if account.operator_role is not None else ()))


class PasswordReset(BaseModel):
    """A link by which a new password can be chosen, as it was asked for last."""

    model_config = ConfigDict(frozen=True)

    request_id: str
    asked_at: Instant
    reason: str | None = None
    """Why support has reset the password; None where the user asked."""


class Account(Entity):
    """A user's account, in the partition of the user."""

    kind: ClassVar[str] = "account"
    audit: ClassVar[Audit] = Audited(
        area="users",
        verb=_verb_of_account,
        target=lambda account: Target("user", account.user_id),
        secret=frozenset({"password_hash", "earlier_password_hashes", "second_factors"}),
        ignored=frozenset({"last_login_at", "password_changed_at", "former_organization_ids"}),
        personal={"email": by_value, "full_name": lambda account, _: account.user_id},
        trails=trails_of_account,
        by_itself=lambda account: account.user_id,
    )
    user_id: str
    email: str
    full_name: str
    password_hash: str | None
    """None where the user has no password and signs in otherwise."""
    earlier_password_hashes: tuple[str, ...] = ()
    """Of the passwords before the present one, the newest first."""
    status: Literal["pending", "active", "disabled"]
    """It is pending until all that a sign-up promises is there."""
    organization_ids: tuple[str, ...] = ()
    former_organization_ids: tuple[str, ...] = ()
    """Of memberships that have ended: nobody comes back there by a provider. The newest are last."""
    operator_role: OperatorRole | None = None
    created_at: Instant
    verified_at: Instant | None = None
    """When its user proved to have the address; None where nobody has."""
    last_login_at: Instant | None = None
    sessions_ended_at: Instant | None = None
    """Sessions that began until then have ended."""
    devices_ended_at: Instant | None = None
    """Devices that became known until then are known no longer."""
    password_changed_at: Instant | None = None
    """None while it is the first one."""
    notification_preferences: NotificationPreferences = NotificationPreferences()
    second_factors: SecondFactors = SecondFactors()
    """What signing in takes beside the password."""
    newest_reset: PasswordReset | None = None
    """The newest link by which a new password can be chosen. Any change of the password takes it away."""
    needs_verification: bool = False
    """Whether the user has to show that the address is theirs. False for accounts of earlier versions and operators."""
    organization_name: str = ""
    """As it was signed up, like the two fields below."""
    currency: str = ""
    timezone: str = ""

    @property
    def is_unverified(self) -> bool:
        """Whether the user has still to show that the address is theirs."""
        return self.needs_verification and self.verified_at is None

    def in_organization(self, organization_id: str, *, is_member: bool) -> Self:
        """With the organization among its own, or among those that it was in."""
        own = _with_or_without(self.organization_ids, organization_id, is_there=is_member)
        former = _with_or_without(self.former_organization_ids, organization_id, is_there=not is_member)
        return self.changed(organization_ids=own, former_organization_ids=former[-MAXIMUM_FORMER_ORGANIZATIONS:])

    def proven(self, now: datetime) -> Self:
        """The account once its user has shown, by a link in a mail, that the address is theirs.

        Until then somebody else may have had it: the password is gone, and with it whatever else opens the account. Its
        sessions are to be ended in the same write. Where that was shown before, nothing changes.
        """
        if self.verified_at is not None:
            return self
        return self.changed(
            verified_at=now,
            password_hash=None,
            earlier_password_hashes=(),
            second_factors=SecondFactors(),
            newest_reset=None,
        )


class AddressClaim(Entity):
    """Whose account has an e-mail address. Creating it decides a sign-up.

    It carries the account until that is created, with its organization and membership.
    """

    kind: ClassVar[str] = "address"
    audit: ClassVar[Audit] = Audited(
        area="users",
        verb=lambda before, _: "create" if before is None else None,
        trails=trails_of_account,
        shown=lambda claim: claim.pending,
    )
    id: str = ACCOUNT
    user_id: str
    pending: Account | None = None
    due_at: Instant | None = None
    """When the sweep completes a sign-up that was cut short."""

    def document(self) -> dict[str, Any]:
        document = super().document()
        if self.pending is None:
            del document["pending"]
        else:
            document["pending"] = self.pending.document()
        if self.due_at is None:
            del document["due_at"]
        return document


def _with_or_without(ids: tuple[str, ...], wanted: str, *, is_there: bool) -> tuple[str, ...]:
    if is_there:
        return ids if wanted in ids else (*ids, wanted)
    return tuple(id_ for id_ in ids if id_ != wanted)


def address_fingerprint(email: str) -> str:
    """Tells addresses apart without naming them."""
    return fingerprint(comparable_address(email))


def comparable_address(email: str) -> str:
    """An e-mail address in the form in which two are compared: lower case, NFC.

    Nothing is folded: `straße@` and `strasse@` are two mailboxes. Mail goes to the address as it is stored, never to
    one that somebody typed to be compared with it.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", email).lower())


def address_partition(email: str) -> str:
    """The directory partition of an e-mail address, whatever its case."""
    return f"address:{address_fingerprint(email)}"


def earlier_address_partition(email: str) -> str:
    """Where an account was stored when addresses were folded. Accounts of other addresses may be there."""
    return f"email:{fingerprint(email.casefold())}"


def user_partition(user_id: str) -> str:
    """The directory partition of a user: the account and its sessions."""
    return f"user:{user_id}"
