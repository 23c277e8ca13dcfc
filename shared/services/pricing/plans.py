"""The operator's catalog of plans; published versions never change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from cachetools import LRUCache, TTLCache
from pydantic import Field

from shared.containers import CATALOG
from shared.domain.kernel.audit import FOLLOWS, Audit
from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError, ValidationError
from shared.domain.kernel.ids import is_id, named_id
from shared.domain.pricing.billing_models import Version
from shared.domain.pricing.plans import (
    MAXIMUM_PLANS,
    MAXIMUM_VERSIONS,
    Plan,
    PlanDraft,
    PlanPrice,
    PlanVersion,
    PlanVersionReference,
    refused_charges,
)
from shared.ports.clock import Clock
from shared.services.pricing.billing_models import BillingModels
from shared.services.pricing.default_plans import DEFAULT_PLANS
from shared.services.storage import Claim, Operation, Page, Records, Store, Stored, UniqueField, creating, look_twice

CACHED = timedelta(seconds=60)
MAXIMUM_CACHED = 10_000
_PARTITION = "plans"


class PlanKeyClaim(Claim):
    """The claim of a plan's key."""

    kind: ClassVar[str] = "plan_key"
    audit: ClassVar[Audit] = FOLLOWS
    holder_id: str = Field(alias="plan_id")

    @classmethod
    def of(cls, plan: Plan) -> "PlanKeyClaim":
        return cls(id=_claim_id(plan.key), holder_id=plan.id)


def _claim_id(key: str) -> str:
    return named_id("plankey", key)


@dataclass(frozen=True, slots=True)
class PublishedPlan:
    """A plan with its newest version."""

    plan: Plan
    version: PlanVersion
    charges: Mapping[str, Version]
    """By currency, what prices it."""


class Plans:
    def __init__(self, store: Store, clock: Clock, billing_models: BillingModels) -> None:
        self._clock = clock
        self._billing_models = billing_models
        self._plans = Records(store, CATALOG, Plan, prefix="plan", unique=UniqueField("key", PlanKeyClaim.of))
        self._keys = Records(store, CATALOG, PlanKeyClaim)
        self._versions = Records(store, CATALOG, PlanVersion)
        self._cached_versions = LRUCache[str, PlanVersion](MAXIMUM_CACHED)
        """A version never changes."""
        self._cached_public = TTLCache[str, Sequence[PublishedPlan], datetime](1, CACHED, timer=clock.now)
        self._has_defaults = False

    async def create(self, plan_id: str, draft: PlanDraft) -> Stored[Plan]:
        """A plan with its first version. Repeating it with the same id gives what was created.

        Raises `ConflictError` for a key that is taken, `ValidationError` for a billing model that no plan can have.
        """
        await self._create_defaults()
        if len((await self._plans.page(_PARTITION, limit=MAXIMUM_PLANS)).stored) >= MAXIMUM_PLANS:
            raise ConflictError(f"There are {MAXIMUM_PLANS} plans, which is the most that there can be")
        return await self._create(plan_id, draft)

    async def _create(self, plan_id: str, draft: PlanDraft) -> Stored[Plan]:
        now = self._clock.now()
        plan = Plan(
            id=plan_id,
            key=draft.key,
            plan_kind=draft.kind,
            public=draft.public,
            created_at=now,
            versions=(PlanVersionReference(id=_version_id(plan_id, 1), number=1),),
        )
        prices = await self._prices(plan.place, draft)
        return await self._plans.create(_PARTITION, plan, creating(_version(plan, draft, prices, now)))

    async def publish(self, plan_id: str, draft: PlanDraft, if_match: str | None) -> Stored[Plan]:
        """Add a version. It moves no subscription: new ones and changes get it.

        Raises `NotFoundError`, `PreconditionFailedError`, `ConflictError` for an archived plan, `ValidationError`.
        """
        plan = (await look_twice(lambda: self._plans.get(_PARTITION, plan_id), errors=(NotFoundError,))).entity
        prices = await self._prices(plan.place, draft)
        now = self._clock.now()

        def decide(current: Plan) -> Plan:
            _check_publishable(current, draft)
            number = current.newest.number + 1
            reference = PlanVersionReference(id=_version_id(plan_id, number), number=number)
            return current.changed(public=draft.public, versions=(*current.versions, reference))

        def beside(_before: Plan, after: Plan) -> Sequence[Operation]:
            return [creating(_version(after, draft, prices, now))]

        return await self._plans.change(_PARTITION, plan_id, decide, if_match, beside=beside)

    async def archive(self, plan_id: str) -> Stored[Plan]:
        """Nobody can subscribe to it any more; who has it keeps it. Repeating it changes nothing."""

        def decide(plan: Plan) -> Plan:
            return plan if plan.archived_at is not None else plan.changed(archived_at=self._clock.now())

        return await self._plans.change(_PARTITION, plan_id, decide)

    async def get(self, plan_id: str) -> Stored[Plan]:
        """Raises `NotFoundError`."""
        return await self._plans.get(_PARTITION, plan_id)

    async def page(self, limit: int, cursor: str | None) -> Page[Plan]:
        """Newest first."""
        await self._create_defaults()
        return await self._plans.page(_PARTITION, descending=True, limit=limit, cursor=cursor)

    async def named(self, reference: str, pointer: str = "/plan") -> Plan:
        """The plan with this id or key. Raises `ValidationError` at `pointer` where there is none."""
        await self._create_defaults()
        plan_id = reference
        if not is_id(reference, "plan"):
            claim = await self._keys.find(_PARTITION, _claim_id(reference))
            plan_id = reference if claim is None else claim.entity.holder_id
        stored = await self._plans.find(_PARTITION, plan_id)
        if stored is None:
            raise ValidationError.at(pointer, "there is no plan with this id or key; see GET /billing/plans")
        return stored.entity

    async def version(self, version_id: str) -> PlanVersion:
        """One that is known to exist. Raises `UnavailableError` where it cannot be read yet."""
        version = self._cached_versions.get(version_id)
        if version is None:
            version = (await self._versions.get_created(_PARTITION, version_id)).entity
            self._cached_versions[version_id] = version
        return version

    async def versions(self, plan: Plan) -> list[PlanVersion]:
        """All of them, oldest first."""
        return [await self.version(reference.id) for reference in plan.versions]

    async def charges(self, version: PlanVersion, currency: str) -> Version:
        """What prices a plan's version in a currency. Raises `UnavailableError` where it cannot be read yet."""
        found = await self._billing_models.published(version.prices[currency].version_id)
        if found is None:
            raise UnavailableError("The version of the plan's billing model cannot be read yet")
        return found

    async def published(self, plan: Plan) -> PublishedPlan:
        """The plan with its newest version. Raises `UnavailableError`."""
        version = await self.version(plan.newest.id)
        charges = {currency: await self.charges(version, currency) for currency in sorted(version.prices)}
        return PublishedPlan(plan, version, charges)

    async def public(self) -> Sequence[PublishedPlan]:
        """Public plans that are not archived, oldest first; at most 60 s old."""
        cached = self._cached_public.get(_PARTITION)
        if cached is None:
            await self._create_defaults()
            page = await self._plans.page(_PARTITION, limit=MAXIMUM_PLANS)
            offered = [plan for plan in page.entities if plan.public and plan.archived_at is None]
            offered.sort(key=lambda plan: (plan.created_at, plan.id))
            cached = self._cached_public[_PARTITION] = [await self.published(plan) for plan in offered]
        return cached

    async def _prices(self, place: str, draft: PlanDraft) -> dict[str, PlanPrice]:
        """What prices the draft, by currency. Its models are for this place from now on. Raises `ValidationError`."""
        prices: dict[str, PlanPrice] = {}
        for currency, version_id in draft.prices.items():
            pointer = f"/prices/{currency}"
            version = await self._billing_models.published(version_id)
            if version is None:
                detail = "there is no such version of a billing model of the operator's; name it by its version_id"
                raise ValidationError.at(pointer, detail)
            refused = next(refused_charges(version), None)
            if refused is not None:
                path, detail = refused
                raise ValidationError.at(pointer, f"{'/'.join(map(str, path))} of this version {detail}")
            _check_payable(draft, version)
            await self._billing_models.reserve(version.model_id, currency, place, pointer)
            prices[currency] = PlanPrice(model_id=version.model_id, version_id=version_id)
        return prices

    async def _create_defaults(self) -> None:
        """Create the plans that every deployment begins with, once. Raises `UnavailableError`."""
        if self._has_defaults:
            return
        missing = [default for default in DEFAULT_PLANS if await self._plans.find(_PARTITION, default.plan_id) is None]
        for default in missing:
            await self._billing_models.create(default.model_id, None, default.model)
            try:
                await self._create(default.plan_id, default.draft)
            except ConflictError:
                continue  # the operator has made a plan with this key
        self._has_defaults = True


def _check_payable(draft: PlanDraft, version: Version) -> None:
    """Raises `ValidationError` for credits that come with the payment of fees, where none is paid in advance."""
    has_advance = any(charge.billing_timing == "advance" for charge in version.charges)
    for index, grant in enumerate(draft.grants):
        if grant.on == "paid" and not has_advance:
            detail = "is paid, and the plan has no fee in advance; write start, or give a fee the timing advance"
            raise ValidationError.at(f"/grants/{index}/on", detail)


def _check_publishable(plan: Plan, draft: PlanDraft) -> None:
    """Raises `ConflictError`, `ValidationError`."""
    if plan.archived_at is not None:
        raise ConflictError("The plan is archived")
    if draft.key != plan.key:
        raise ValidationError.at("/key", f"stays {plan.key} over all versions; for another key make another plan")
    if draft.kind != plan.plan_kind:
        raise ValidationError.at("/kind", f"stays {plan.plan_kind} over all versions")
    if plan.newest.number >= MAXIMUM_VERSIONS:
        raise ConflictError(f"A plan has at most {MAXIMUM_VERSIONS} versions")


def _version_id(plan_id: str, number: int) -> str:
    return named_id("planv", plan_id, number)


def _version(plan: Plan, draft: PlanDraft, prices: Mapping[str, PlanPrice], now: datetime) -> PlanVersion:
    """The version that a plan has just got from the draft."""
    return PlanVersion(
        id=plan.newest.id,
        plan_id=plan.id,
        number=plan.newest.number,
        name=draft.name,
        description=draft.description,
        interval=draft.interval,
        anchor=draft.anchor,
        prices=prices,
        trial=draft.trial,
        entitlements=draft.entitlements,
        grants=draft.grants,
        created_at=now,
    )
