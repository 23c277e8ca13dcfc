"""Places of organizations as they are stored, and what prices the plans on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.containers import TENANTS
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.histories import Entry, History
from shared.domain.kernel.times import BEGINNING
from shared.domain.pricing.billing_models import Version
from shared.domain.pricing.places import Places, Terms
from shared.domain.pricing.plan_grants import GrantedOn, PlanGrant
from shared.domain.tenancy.entitlements import Entitlements, PlaceEntitlements
from shared.services.pricing.billing_models import BillingModels
from shared.services.pricing.plans import Plans
from shared.services.storage import KeptRecords, Operation, Store, Stored

MAXIMUM_KEPT = 100
"""Versions of places that stay as they were read: invoicing an organization reads its own several times."""
_ID = Places().id


@dataclass(frozen=True, slots=True)
class PlanPrices:
    """What prices plans."""

    versions: Mapping[str, Version]
    """By their id."""
    names: Mapping[str, str]
    """The plan's name, by the billing model that prices it; that of the newest where some share one."""


class PlaceHistories:
    def __init__(self, store: Store, plans: Plans, billing_models: BillingModels) -> None:
        self._places = KeptRecords(store, TENANTS, Places, MAXIMUM_KEPT)
        self._plans = plans
        self._billing_models = billing_models

    async def of(self, organization_id: str) -> Places:
        """Without any where the organization never subscribed."""
        stored = await self.stored(organization_id)
        return Places() if stored is None else stored.entity

    async def stored(self, organization_id: str) -> Stored[Places] | None:
        return await self._places.find(organization_id, _ID)

    async def write(
        self, organization_id: str, current: Stored[Places] | None, changed: Places, *beside: Operation
    ) -> None:
        """Replace the places in one batch with what belongs to that.

        Raises `StaleEtagError` or `AlreadyExistsError` where they have changed since they were read.
        """
        await self._places.write(organization_id, current, changed, *beside)

    async def prices(self, places: Places) -> PlanPrices:
        """What prices all plans that were, are or will be at the places. Raises `UnavailableError`."""
        versions: dict[str, Version] = {}
        names: dict[str, str] = {}
        for charges_id, plan_version_id in _newest_last(places):
            if charges_id not in versions:
                versions[charges_id] = await self._charges(charges_id)
            plan_version = await self._plans.version(plan_version_id)
            names[versions[charges_id].model_id] = plan_version.name
        for usage in places.usage.values():
            for version_id in {entry.value.charges_id for entry in usage.entries} - {None, *versions}:
                if version_id is not None:
                    versions[version_id] = await self._charges(version_id)
        return PlanPrices(versions, names)

    async def entitlements(self, places: Places, now: datetime) -> Entitlements:
        """What the plans at the places allow now, and by what lies ahead. Raises `UnavailableError`."""
        by_place: dict[str, History[PlaceEntitlements]] = {}
        for place, history in places.fees.items():
            in_force = history.index_at(now)
            entries = [
                Entry[PlaceEntitlements](
                    # A host whose clock is a moment behind finds it, too.
                    effective_from=BEGINNING if index == in_force else history.entries[index].effective_from,
                    value=await self._allowed(history.entries[index].value),
                )
                for index in range(in_force or 0, len(history.entries))
            ]
            by_place[place] = History[PlaceEntitlements](entries=tuple(entries))
        return Entitlements(revision=places.revision, places=by_place)

    async def grants(self, history: History[Terms]) -> dict[str, Sequence[PlanGrant]]:
        """The credits that plans at a place bring in a cycle, by their version's id. Raises `UnavailableError`."""
        ids = {entry.value.plan_version_id for entry in history.entries}
        return {id_: (await self._plans.version(id_)).grants for id_ in ids}

    async def bring_credits(self, places: Places, on: GrantedOn | None = None) -> bool:
        """Whether a plan that was, is or will be at a place brings any: at any time, or at this one."""
        for history in places.fees.values():
            for grants in (await self.grants(history)).values():
                if any(on is None or grant.on == on for grant in grants):
                    return True
        return False

    async def _allowed(self, terms: Terms) -> PlaceEntitlements:
        version = await self._plans.version(terms.plan_version_id)
        features = tuple(feature.times(terms.quantity) for feature in version.entitlements)
        return PlaceEntitlements(is_in_force=terms.has_plan, features=features)

    async def _charges(self, version_id: str) -> Version:
        version = await self._billing_models.published(version_id)
        if version is None:
            raise UnavailableError("The version of a plan's billing model cannot be read yet")
        return version


def _newest_last(places: Places) -> list[tuple[str, str]]:
    """Each version of prices with each version of a plan that it prices, in the order in which they came last."""
    ordered: dict[tuple[str, str], None] = {}
    for history in places.fees.values():
        for entry in history.entries:
            versions = (entry.value.charges_id, entry.value.plan_version_id)
            ordered.pop(versions, None)
            ordered[versions] = None
    return [*ordered]
