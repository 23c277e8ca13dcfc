"""Identity providers of an organization: written by its owners, with domains that are shown to be theirs."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.identity_providers import (
    MAXIMUM_PROVIDERS,
    RECORD,
    SECRET_FIELD,
    DomainHolder,
    IdentityProvider,
    domain_of,
    domain_partition,
)
from shared.domain.kernel.errors import (
    ConflictError,
    FieldError,
    ForbiddenError,
    NotFoundError,
    UnavailableError,
    ValidationError,
)
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.ports.openid import IdentityRefusedError, OpenId
from shared.ports.outbound import OutboundRefusedError
from shared.ports.text_records import TextRecords
from shared.services.storage import (
    Operation,
    Owners,
    Records,
    Store,
    Stored,
    look_twice,
    replacing,
    retry_lost_races,
)
from shared.services.storage.sealed_values import SealedValues
from shared.services.tenancy.organizations import Organizations

_DOMAIN = "domain"


class IdentityProviders:
    """A provider and what its organization asks of sign-ins are written in one batch: sessions are held to the latter,
    which is read with every call.
    """

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        owners: Owners,
        sealed_values: SealedValues,
        openid: OpenId,
        text_records: TextRecords,
        organizations: Organizations,
    ) -> None:
        self._clock = clock
        self._sealed_values = sealed_values
        self._openid = openid
        self._text_records = text_records
        self._every_organization = organizations
        self._providers = Records(
            store, TENANTS, IdentityProvider, prefix="idp", called="identity provider", owners=owners
        )
        self._organizations = Records(store, TENANTS, Organization, prefix="org", called="organization")
        self._holders = Records(store, DIRECTORY, DomainHolder)
        sealed_values.register("identity providers", self._reseal)

    async def create(self, provider: IdentityProvider, secret: str, domains: Sequence[str]) -> Stored[IdentityProvider]:
        """`provider` is without its sealed secret. Repeating it gives what was created.

        Raises `ValidationError` where the issuer cannot be used, `ConflictError` where there are too many.
        """
        organization_id = provider.organization_id
        if len(await self.all(organization_id)) >= MAXIMUM_PROVIDERS:
            raise ConflictError(f"There are {MAXIMUM_PROVIDERS} identity providers; remove one first")
        if not provider.password_allowed:
            raise ValidationError.at("/password_allowed", "can be false once a domain was verified")
        await self._check_issuer(provider.issuer)
        sealed = await self._seal(secret, provider.id, organization_id)
        complete = provider.changed(sealed_secret=sealed).with_domains(tuple(domains))
        return await self._providers.create(organization_id, complete)

    async def _check_issuer(self, issuer: str) -> None:
        try:
            await self._openid.check(issuer)
        except (OutboundRefusedError, IdentityRefusedError) as error:
            raise ValidationError.at("/issuer", f"cannot be used: {error}") from error

    async def _seal(self, secret: str, provider_id: str, organization_id: str) -> str:
        return await self._sealed_values.seal(
            secret, organization_id=organization_id, field=f"{SECRET_FIELD}:{provider_id}"
        )

    async def secret_of(self, provider: IdentityProvider) -> str:
        """The client's. Raises `UnavailableError`."""
        return await self._sealed_values.unseal(
            provider.sealed_secret,
            organization_id=provider.organization_id,
            field=f"{SECRET_FIELD}:{provider.id}",
        )

    async def all(self, organization_id: str) -> list[IdentityProvider]:
        return (await self._providers.page(organization_id, limit=MAXIMUM_PROVIDERS)).entities

    async def get(self, organization_id: str, provider_id: str) -> Stored[IdentityProvider]:
        """Raises `NotFoundError`."""
        return await self._providers.get(organization_id, provider_id)

    async def of_email(self, email: str) -> IdentityProvider | None:
        """The provider that speaks for the domain of an address, whoever else has that address."""
        holder = await self._holders.find(domain_partition(domain_of(email)), _DOMAIN)
        if holder is None:
            return None
        if await self._is_deleted(holder.entity.organization_id):
            return None
        stored = await self._providers.find(holder.entity.organization_id, holder.entity.provider_id)
        return None if stored is None or not stored.entity.speaks_for(email) else stored.entity

    async def change(
        self, organization_id: str, provider_id: str, changes: Mapping[str, Any], if_match: str | None
    ) -> Stored[IdentityProvider]:
        """Apply changed fields; a new `client_secret` is sealed. The issuer stays: another one has other people.

        Raises `NotFoundError`, `PreconditionFailedError`, `ValidationError`.
        """
        fields = dict(changes)
        secret, domains = fields.pop("client_secret", None), fields.pop("domains", None)
        if secret is not None:
            fields["sealed_secret"] = await self._seal(secret, provider_id, organization_id)

        def decide(provider: IdentityProvider) -> IdentityProvider:
            changed = provider.changed(**fields)
            changed = changed if domains is None else changed.with_domains(tuple(domains))
            if not changed.password_allowed and not changed.verified_domains:
                raise ValidationError.at("/password_allowed", "can be false once a domain was verified")
            return changed

        before = (await self.get(organization_id, provider_id)).entity
        stored = await self._write(organization_id, provider_id, decide, if_match)
        for domain in before.named_domains - stored.entity.named_domains:
            await self._release(domain, provider_id)
        return stored

    async def remove(self, organization_id: str, provider_id: str, if_match: str | None) -> None:
        """Sessions that were begun by it end; members stay. Raises `NotFoundError`, `PreconditionFailedError`."""
        provider = (await self.get(organization_id, provider_id)).entity
        for domain in provider.named_domains:
            await self._release(domain, provider_id)
        await self._write(organization_id, provider_id, None, if_match)

    async def _write(
        self,
        organization_id: str,
        provider_id: str,
        decide: Any,  # noqa: ANN401  None removes it
        if_match: str | None,
    ) -> Stored[IdentityProvider]:
        async def attempt() -> Stored[IdentityProvider]:
            current = await self._providers.get(organization_id, provider_id, if_match)
            changed = None if decide is None else decide(current.entity)
            beside = await self._asking(organization_id, provider_id, changed)
            if changed is None:
                await self._providers.erase(organization_id, current, *beside)
                return current
            return await self._providers.write(organization_id, current, changed, *beside)

        return await self._providers.retry(attempt, if_match)

    async def _asking(
        self, organization_id: str, provider_id: str, changed: IdentityProvider | None
    ) -> list[Operation]:
        """What the organization asks of sign-ins after a change of one of its providers."""
        others = [each for each in await self.all(organization_id) if each.id != provider_id]
        left = [*others, *([] if changed is None else [changed])]
        organization = await self._organizations.get_created(organization_id, organization_id)
        asked = organization.entity.changed(password_allowed=all(each.password_allowed for each in left))
        if changed is None:
            asked = asked.changed(provider_sessions_ended_at=self._clock.now())
        return [] if asked == organization.entity else [replacing(organization, asked)]

    async def verify(self, organization_id: str, provider_id: str, domain: str) -> Stored[IdentityProvider]:
        """Look for the record that shows that the domain is the organization's.

        Raises `NotFoundError` for a domain that was not named, `ConflictError` where the record is missing or another
        provider speaks for the domain.
        """
        provider = (await self.get(organization_id, provider_id)).entity
        claimed = next((each for each in provider.domains if each.domain == domain), None)
        if claimed is None:
            raise NotFoundError("The provider names no such domain")
        if claimed.token not in await self._text_records.lookup(RECORD + domain):
            raise ConflictError(f"There is no TXT record {RECORD}{domain} that says {claimed.token}")
        holder = DomainHolder(organization_id=organization_id, provider_id=provider_id)
        await self._hold(domain, holder)
        now = self._clock.now()
        return await self._write(organization_id, provider_id, lambda each: each.with_verified(domain, now), None)

    async def _hold(self, domain: str, holder: DomainHolder) -> None:
        """Raises `ConflictError` where a provider of another organization that is not deleted has the domain."""
        partition = domain_partition(domain)

        async def attempt() -> None:
            held = await self._holders.create(partition, holder)
            if held.entity.provider_id == holder.provider_id:
                return
            if not await self._is_deleted(held.entity.organization_id):
                raise ConflictError(
                    "Another identity provider speaks for this domain", errors=(FieldError("{domain}", "is taken"),)
                )
            await self._holders.write(partition, held, holder)

        await retry_lost_races(attempt, UnavailableError("The domain is being changed by many at once"))

    async def _is_deleted(self, organization_id: str) -> bool:
        """Whether the organization's deletion has come into force: it speaks for no domain from then on."""
        organization = await self._organizations.find(organization_id, organization_id)
        deleted_at = None if organization is None else organization.entity.deleted_at
        return deleted_at is not None and deleted_at <= self._clock.now()

    async def _release(self, domain: str, provider_id: str) -> None:
        """Also of a domain that is not verified: a check that was cut short may have taken it."""

        async def attempt() -> None:
            held = await self._holders.find(domain_partition(domain), _DOMAIN)
            if held is not None and held.entity.provider_id == provider_id:
                await self._holders.erase(domain_partition(domain), held)

        await retry_lost_races(attempt, UnavailableError("The domain is being changed by many at once"))

    async def found(self, owners: Owners, provider_id: str) -> IdentityProvider:
        """By its id alone, for browsers that come to it. Raises `NotFoundError`."""
        owner = await owners.of(provider_id)
        stored = await look_twice(lambda: self._providers.get(owner, provider_id), errors=(NotFoundError,))
        organization = await self._organizations.get_created(owner, owner)
        if organization.entity.deleted_at is not None:
            raise ForbiddenError("The organization is deleted")
        return stored.entity

    async def _reseal(self) -> int:
        """Seal the secrets of all clients under the present key."""
        count = 0
        async for organization in self._every_organization.all():
            for provider in await self.all(organization.id):
                count += await self._reseal_one(provider)
        return count

    async def _reseal_one(self, provider: IdentityProvider) -> bool:
        async def decide(current: IdentityProvider) -> IdentityProvider:
            fresh = await self._sealed_values.resealed(
                current.sealed_secret,
                organization_id=current.organization_id,
                field=f"{SECRET_FIELD}:{current.id}",
            )
            return current if fresh is None else current.changed(sealed_secret=fresh)

        stored = await self._providers.change(provider.organization_id, provider.id, decide)
        return stored.entity.sealed_secret != provider.sealed_secret
