"""Who has a name: slugs and external ids of all organizations are claimed in one namespace."""

from shared.containers import DIRECTORY
from shared.domain.kernel.audit import Target
from shared.domain.kernel.errors import ConflictError, FieldError, ValidationError
from shared.domain.tenancy.organization_names import (
    OrganizationName,
    earlier_external_id_partition,
    has_form_of_id,
    is_reserved_word,
    is_slug,
    name_partition,
    slug_partition,
)
from shared.domain.tenancy.organizations import OrganizationExternalId, SlugClaim
from shared.services.storage import Records, Store
from shared.services.storage.operations import noting

CLAIM = "organization"
"""The id of the only item in the partition of a name."""


class OrganizationNames:
    """A name is claimed by one item, whatever it is used as, so a second claim of it conflicts.

    Slugs and external ids that were claimed apart from each other, before they were one namespace, are read second.
    There two organizations may have one name. Then it finds neither, until the operator assigns it.
    """

    def __init__(self, store: Store) -> None:
        self._names = Records(store, DIRECTORY, OrganizationName, called="name")
        self._slugs = Records(store, DIRECTORY, SlugClaim)
        self._external_ids = Records(store, DIRECTORY, OrganizationExternalId)

    async def holders(self, name: str) -> frozenset[str]:
        """The ids of the organizations that have it: one at most, but for names that were claimed twice before."""
        claim = await self._names.find(name_partition(name), CLAIM)
        if claim is not None and not claim.entity.is_reserved:
            return frozenset({claim.entity.organization_id})
        return await self.earlier_holders(name)

    async def earlier_holders(self, name: str) -> frozenset[str]:
        """Of slugs and external ids that were claimed apart from each other."""
        slug = await self._slugs.find(slug_partition(name), CLAIM) if is_slug(name) else None
        external_id = await self._external_ids.find(earlier_external_id_partition(name), CLAIM)
        return frozenset(claim.entity.organization_id for claim in (slug, external_id) if claim is not None)

    async def reserve(self, name: str, organization_id: str) -> bool:
        """Keep a name for an organization that is to be created. False where another one has it."""
        if await self.earlier_holders(name) - {organization_id}:
            return False
        wanted = OrganizationName(name=name, organization_id=organization_id, is_reserved=True)
        claim = await self._names.create(name_partition(name), wanted)
        return claim.entity.organization_id == organization_id

    async def release(self, name: str, organization_id: str) -> None:
        """Free a name that was reserved for an organization which is not created after all."""
        claim = await self._names.find(name_partition(name), CLAIM)
        if claim is not None and claim.entity.is_reserved and claim.entity.organization_id == organization_id:
            await self._names.remove(name_partition(name), CLAIM)

    async def confirm(self, name: str, organization_id: str) -> None:
        """Its organization has been created. Where another has got the name meanwhile, it keeps it."""
        confirmed = OrganizationName(name=name, organization_id=organization_id)

        def decide(current: OrganizationName | None) -> OrganizationName:
            is_anothers = current is not None and current.organization_id != organization_id
            return current if current is not None and is_anothers else confirmed

        await self._names.change_or_create(name_partition(name), CLAIM, decide)

    async def assign(self, name: str, organization_id: str) -> None:
        """Decide which of the organizations that have a name is found by it. Raises `ConflictError` for any other."""
        holders = await self.earlier_holders(name)
        if organization_id not in holders:
            raise ConflictError(f"{organization_id} has no slug or external id {name} that was claimed twice")
        assigned = OrganizationName(name=name, organization_id=organization_id)
        told = noting(
            "organization_names.assign",
            Target("organization", organization_id),
            sorted(holders),
            details={"name": name},
        )

        async def attempt() -> None:
            current = await self._names.find(name_partition(name), CLAIM)
            await self._names.write(name_partition(name), current, assigned, told)

        await self._names.retry(attempt)


def check_names(slug: str | None, external_id: str | None) -> None:
    """Those that are chosen. Raises `ValidationError`."""
    if slug is not None:
        check_slug(slug)
    if external_id is not None:
        check_external_id(external_id)


def check_slug(slug: str) -> None:
    """Raises `ValidationError` for a reserved word."""
    if is_reserved_word(slug):
        raise ValidationError.at("/slug", f"{slug} is a reserved word")


def check_external_id(external_id: str) -> None:
    """Raises `ValidationError` for a reserved word, and for what could be an organization's id."""
    if is_reserved_word(external_id):
        raise ValidationError.at("/external_id", f"{external_id} is a reserved word")
    if has_form_of_id(external_id):
        raise ValidationError.at("/external_id", "has the form of an id that Xyra makes; choose another")


def taken(field: str) -> ConflictError:
    """The refusal of a name that another organization has."""
    return ConflictError(
        f"The {field.replace('_', ' ')} is taken: an organization has it as its slug or external id",
        errors=(FieldError(f"/{field}", "is taken"),),
    )
