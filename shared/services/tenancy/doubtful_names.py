"""Names that were given before all of them were one namespace, and need the operator's eye."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

from shared.domain.tenancy.organization_names import has_form_of_id, is_reserved_word
from shared.domain.tenancy.organizations import Organization
from shared.services.tenancy.organizations import Organizations

Doubt = Literal["held_twice", "finds_another", "id_of_another", "reserved_word"]


@dataclass(frozen=True, slots=True)
class DoubtfulName:
    name: str
    doubt: Doubt
    holder_ids: tuple[str, ...]
    """The organizations with that name, sorted."""


async def doubtful_names(organizations: Organizations) -> AsyncIterator[DoubtfulName]:
    """Those of all organizations. `held_twice` finds nobody until it is assigned; all others find somebody."""
    async for organization in organizations.all():
        for name in {organization.slug, organization.external_id or organization.slug}:
            doubt = await _doubt(organizations, organization, name)
            if doubt is not None:
                yield doubt


async def _doubt(organizations: Organizations, organization: Organization, name: str) -> DoubtfulName | None:
    if is_reserved_word(name):
        return DoubtfulName(name, "reserved_word", (organization.id,))
    if has_form_of_id(name) and await organizations.find_by_id(name) is not None:
        return DoubtfulName(name, "id_of_another", (organization.id,))
    holders = await organizations.names.holders(name)
    if len(holders) > 1 and name == organization.external_id:  # once, and not again for the one with the slug
        return DoubtfulName(name, "held_twice", tuple(sorted(holders)))
    if len(holders) == 1 and organization.id not in holders:
        return DoubtfulName(name, "finds_another", (organization.id,))
    return None
