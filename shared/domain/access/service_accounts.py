"""Service accounts: machines that act under a name, with tokens that live for a while."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from shared.domain.access.api_keys import ApiKey
from shared.domain.access.identity import (
    FOR_PEOPLE,
    OPERATOR_ONLY,
    CallingKey,
    KeyReference,
    Permission,
)
from shared.domain.kernel.audit import BOOKKEEPING, Audit, Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import FieldError, ForbiddenError, ValidationError
from shared.domain.kernel.ids import fingerprint, named_id
from shared.domain.kernel.times import Instant

LONGEST_MINUTES = 24 * 60
"""Of any token of a service account."""
LISTED_AFTER_EXPIRY = timedelta(days=30)
"""How long a token stays listed once it has expired."""

TokenStatus = Literal["active", "expired", "revoked"]


class ServiceAccount(Entity):
    """What the catalog says of a service account; the id is its name."""

    kind: ClassVar[str] = "service_account"
    audit: ClassVar[Audit] = Audited(area="service_accounts")
    scopes: tuple[Permission, ...]
    default_minutes: int
    """Lifetime of a token that asks for none."""
    maximum_minutes: int
    tenant_bound: bool
    """Whether its tokens belong to an organization; else to the operator."""
    created_at: Instant


class ServiceAccountToken(Entity):
    """A token as it is listed, without its secret."""

    kind: ClassVar[str] = "service_account_token"
    audit: ClassVar[Audit] = Audited(
        area="service_accounts",
        verb=lambda before, _: "issue" if before is None else "revoke",
        secret=frozenset({"fingerprint"}),
        ignored=frozenset({"ttl"}),
    )
    service_account: str
    organization_id: str | None
    """None for the operator's own."""
    scopes: tuple[Permission, ...]
    reason: str
    fingerprint: str
    created_at: Instant
    expires_at: Instant
    created_by: str | None
    """The user who issued it, or at the beginning of the line of keys; None where a workload proved who it is."""
    root_id: str
    """The first key or client of the line that it descends from; its own id without one."""
    status: Literal["active", "revoked"] = "active"
    revoked_reason: str | None = None
    revoked_at: Instant | None = None
    ttl: int

    def status_at(self, now: datetime) -> TokenStatus:
        return "expired" if self.status == "active" and now >= self.expires_at else self.status


class CurrentToken(Entity):
    """Names the token that answers a request for an equal one: of the same account, owner and scopes."""

    kind: ClassVar[str] = "service_account_current"
    audit: ClassVar[Audit] = BOOKKEEPING
    token_id: str


def current_token_id(service_account: str, scopes: Iterable[Permission]) -> str:
    return named_id("sac", service_account, *sorted(scopes))


def scopes_within(
    account: ServiceAccount, wanted: Sequence[Permission] | None, issuer: frozenset[Permission], *, of_tenant: bool
) -> tuple[Permission, ...]:
    """The scopes of a token: as wanted, else all of the account's.

    Raises `ValidationError` for what is not in the catalog, or the operator's and asked for in an organization;
    `ForbiddenError` for what the issuer does not have.
    """
    scopes = account.scopes if wanted is None else tuple(dict.fromkeys(wanted))
    for index, scope in enumerate(scopes):
        if scope not in account.scopes:
            raise ValidationError.at(f"/scopes/{index}", f"is no scope of {account.id} in the catalog")
        if of_tenant and scope in OPERATOR_ONLY:
            raise ValidationError.at(f"/scopes/{index}", "is the operator's, and never an organization's")
        if scope not in issuer:
            raise ForbiddenError(f"You cannot give {scope.value}, which you do not have")
    return scopes


def lifetime_within(account: ServiceAccount, minutes: int | None) -> timedelta:
    """Raises `ValidationError` for a longer lifetime than the catalog allows."""
    wanted = account.default_minutes if minutes is None else minutes
    if wanted > account.maximum_minutes:
        raise ValidationError.at("/lifetime_minutes", f"is at most {account.maximum_minutes} for {account.id}")
    return timedelta(minutes=wanted)


def checked_account_name(name: str) -> str:
    """Raises `ValueError` for what means something else in paths."""
    if name in ("tokens", "clients"):
        raise ValueError("means something else here; choose another name")
    return name


def check_catalog(account: ServiceAccount) -> None:
    """Raises `ValidationError` for what no machine can have, or what does not fit together."""
    errors = [
        FieldError(f"/scopes/{index}", "is for people who are signed in, not for machines")
        for index, scope in enumerate(account.scopes)
        if scope in FOR_PEOPLE
    ]
    errors += [
        FieldError(f"/scopes/{index}", "is the operator's, and this account is bound to organizations")
        for index, scope in enumerate(account.scopes)
        if account.tenant_bound and scope in OPERATOR_ONLY - FOR_PEOPLE
    ]
    if account.default_minutes > account.maximum_minutes:
        errors.append(FieldError("/default_minutes", "is more than maximum_minutes"))
    if errors:
        raise ValidationError(errors[0].detail, errors=tuple(errors))


def working_key(token: ServiceAccountToken, lineage: Sequence[KeyReference], maker: str | None) -> ApiKey:
    """What makes a token work: it is looked up, cached and stopped as API keys are."""
    return ApiKey(
        id=token.id,
        organization_id=token.organization_id,
        name=token.service_account,
        service_account=token.service_account,
        scopes=token.scopes,
        key_prefix="",
        fingerprint=token.fingerprint,
        created_at=token.created_at,
        expires_at=token.expires_at,
        ancestors=tuple(lineage),
        created_by=token.created_by,
        maker=maker,
    )


def expiry_within(parent: CallingKey | None, wanted: datetime) -> datetime:
    """Not after the key that it descends from."""
    return wanted if parent is None or parent.expires_at is None else min(wanted, parent.expires_at)


def token_document_ttl(expires_at: datetime, now: datetime) -> int:
    """Seconds for which a token that is written now stays listed."""
    return max(1, int((expires_at + LISTED_AFTER_EXPIRY - now).total_seconds()))


def client_fingerprint(client_id: str) -> str:
    """By which a client is found beside keys. Its id is no secret: no credential begins with its prefix."""
    return fingerprint(client_id)
