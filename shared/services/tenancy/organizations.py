"""Organizations: created as a whole or not at all, found by id, slug or external id."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from shared.containers import DIRECTORY, TENANTS
from shared.domain.kernel.errors import ConflictError, MalformedError, ValidationError
from shared.domain.kernel.histories import MINIMUM_LEAD, History
from shared.domain.kernel.ids import is_id
from shared.domain.periods.periods import Calendar
from shared.domain.periods.settlements import BillingMode, CreditValues, Settlement, settled_by
from shared.domain.tenancy.billing_details import BillingDetails
from shared.domain.tenancy.organization_names import slug_partition, slugs_to_try
from shared.domain.tenancy.organization_settings import (
    OrganizationSettings,
    OwnSettings,
    SettingsChanger,
    patched_settings,
    replaced_settings,
)
from shared.domain.tenancy.organizations import (
    SETTLEMENT_FIELDS,
    SLICES,
    ListedOrganization,
    Organization,
    SlugClaim,
    slice_of,
    slices,
)
from shared.ports.clock import Clock
from shared.services.periods.periods import Periods
from shared.services.storage import Outbox, Records, Store, Stored
from shared.services.storage.recent_reads import RecentReads
from shared.services.tenancy.organization_names import OrganizationNames, check_names, taken
from shared.services.tenancy.seat_limits import SeatLimits
from shared.settings import Settings

CACHED = timedelta(seconds=60)
MAXIMUM_CACHED = 10_000
_READ_AT_ONCE = 100
_RETRY_AFTER = timedelta(seconds=30)
"""When the sweep completes a creation that was cut short."""
_NOT_AS_DRAFTED = {
    *("slug", "timezone", "due_days", "grace_hours", "late_window_days", "shard_count", "seats", "is_signing_up"),
    *SETTLEMENT_FIELDS,
}
"""Fields of a draft that its organization has in another form."""


class OrganizationDraft(BillingDetails):
    """What is to be created; None where a default applies."""

    name: str
    currency: str
    timezone: str
    slug: str | None = None
    external_id: str | None = None
    description: str | None = None
    billing_email: str | None = None
    contact: str | None = None
    due_days: int | None = None
    grace_hours: int | None = None
    late_window_days: int | None = None
    shard_count: int | None = None
    seats: int = 0
    billing_mode: BillingMode = "postpaid"
    credit_value: Decimal | None = None
    credit_values: CreditValues = {}
    settings: OrganizationSettings = OrganizationSettings()
    livemode: bool = True
    is_signing_up: bool = False
    """Whether a stranger chose the name: its slug ends in six random characters."""

    def settlement(self) -> Settlement:
        """Raises `ValidationError` for `prepaid` without a credit value."""
        return settled_by(self.billing_mode, self.credit_value, self.currency, self.credit_values)


class Organizations:
    """The claim of its slug in the directory decides that an organization exists.

    The rest is created from the claim; the sweep repeats that until it is done.
    """

    def __init__(self, store: Store, clock: Clock, periods: Periods, outbox: Outbox, settings: Settings) -> None:
        self._clock = clock
        self._periods = periods
        self._settings = settings
        self._organizations = Records(store, TENANTS, Organization)
        self._seat_limits = SeatLimits(store)
        self._slugs = Records(store, DIRECTORY, SlugClaim, outbox=outbox)
        self.names = OrganizationNames(store)
        self._listed = Records(store, DIRECTORY, ListedOrganization)
        self._cached_ids = RecentReads[str, str](MAXIMUM_CACHED, CACHED, clock)
        self._cached = RecentReads[str, Organization](MAXIMUM_CACHED, CACHED, clock)

    async def create(self, organization_id: str, draft: OrganizationDraft) -> Organization:
        """The organization; repeating it with the same id completes it.

        Raises `ConflictError` where the slug or the external id is another organization's name, `ValidationError`.
        """
        self._check(draft)
        if draft.external_id is not None and not await self.names.reserve(draft.external_id, organization_id):
            raise taken("external_id")
        for slug in slugs_to_try(draft.slug, draft.name, organization_id, is_signing_up=draft.is_signing_up):
            claim = await self._claim_slug(slug, organization_id, draft)
            if claim is not None:
                return await self._complete(claim)
        if draft.external_id is not None:
            await self.names.release(draft.external_id, organization_id)
        raise taken("slug")

    def _check(self, draft: OrganizationDraft) -> None:
        self._check_late_window(draft.late_window_days)
        draft.settlement()  # refuses a mode without a credit value
        check_names(draft.slug, draft.external_id)

    async def _claim_slug(self, slug: str, organization_id: str, draft: OrganizationDraft) -> SlugClaim | None:
        """The organization's claim of the slug, None where another one has that name."""
        if not await self.names.reserve(slug, organization_id):
            return None
        now = self._clock.now()
        organization = Organization(
            id=organization_id,
            slug=slug,
            calendars=History[Calendar].starting(Calendar(timezone=draft.timezone)),
            settlements=History[Settlement].starting(draft.settlement()),
            shard_counts=History[int].starting(draft.shard_count or self._settings.shard_count),
            seats=History[int].starting(draft.seats),
            due_days=self._settings.invoice_due_days if draft.due_days is None else draft.due_days,
            grace_hours=self._settings.invoice_grace_hours if draft.grace_hours is None else draft.grace_hours,
            late_window_days=draft.late_window_days or self._settings.late_window_days,
            sign_up_bonus=self._settings.sign_up_bonus if draft.is_signing_up else Decimal(0),
            created_at=now,
            **draft.model_dump(exclude=_NOT_AS_DRAFTED),
        )
        claim, _ = await self._slugs.create(
            slug_partition(slug),
            SlugClaim(slug=slug, organization_id=organization_id, organization=organization),
            due_at=now + _RETRY_AFTER,
        )
        return claim if claim.organization_id == organization_id else None

    def _check_late_window(self, days: int | None) -> None:
        """Refuse a late window that is longer than raw events are kept.

        A repeated event is known only as long as that.
        """
        kept = self._settings.event_retention_days
        if days is not None and days > kept:
            raise ValidationError.at("/late_window_days", f"is longer than raw events are kept, {kept} days")

    async def complete_due(self, claim: Stored[SlugClaim]) -> None:
        """Complete a creation that was cut short."""
        await self._complete(claim.entity)

    async def _complete(self, claim: SlugClaim) -> Organization:
        """Create the organization of a claim; safe to repeat at any time."""
        if claim.organization is None:
            return await self.made(claim.organization_id)
        organization, _ = await self._organizations.create(claim.organization_id, claim.organization)
        await self._listed.put(slice_of(organization.id), ListedOrganization(id=organization.id))
        await self.names.confirm(claim.slug, organization.id)
        if organization.external_id is not None:
            await self.names.confirm(organization.external_id, organization.id)
        done = SlugClaim(slug=claim.slug, organization_id=organization.id)
        await self._slugs.put(slug_partition(claim.slug), done)
        return organization

    async def made(self, organization_id: str) -> Organization:
        """One that is known to exist. Raises `UnavailableError` where a read does not show it yet."""
        return (await self._organizations.get_created(organization_id, organization_id)).entity

    async def find(self, reference: str) -> str | None:
        """The id of the organization with this id, slug or external id. Raises `ConflictError` where two have it."""
        holders = await self.holders(reference)
        if len(holders) > 1:
            raise ConflictError(f"Two organizations have the name {reference}; name the one you mean by its id")
        return next(iter(holders), None)

    async def holders(self, reference: str) -> frozenset[str]:
        """The ids of the organizations with this id or name: one at most, but for names of before.

        What is found is kept for 60 s.
        """
        cached = self._cached_ids.find(reference)
        if cached is not None:
            return frozenset({cached})
        holders = await self._look_up(reference)
        if len(holders) == 1:
            (self._cached_ids[reference],) = holders
        return holders

    async def _look_up(self, reference: str) -> frozenset[str]:
        if is_id(reference, "org") and await self._organizations.find(reference, reference) is not None:
            return frozenset({reference})
        return await self.names.holders(reference)

    async def find_by_external_id(self, external_id: str) -> str | None:
        """The id of the organization with this external id, not slug. Raises `ConflictError` where two have it."""
        organization_id = await self.find(external_id)
        if organization_id is None or (await self.cached(organization_id)).external_id != external_id:
            return None
        return organization_id

    async def get_stored(self, organization_id: str) -> Stored[Organization]:
        """Raises `NotFoundError`."""
        return await self._organizations.get(organization_id, organization_id)

    async def get(self, organization_id: str) -> Organization:
        return (await self.get_stored(organization_id)).entity

    async def find_by_id(self, organization_id: str) -> Organization | None:
        stored = await self._organizations.find(organization_id, organization_id)
        return None if stored is None else stored.entity

    async def cached(self, organization_id: str, *, reload: bool = False) -> Organization:
        """At most 60 s old. That is enough for metering, as histories change at least 10 minutes ahead."""
        organization = None if reload else self._cached.find(organization_id)
        if organization is None:
            organization = await self.get(organization_id)
            self._cached[organization_id] = organization
        return organization

    async def list_ids(self, limit: int, cursor: str | None) -> tuple[list[str], str | None]:
        """The ids of a part of all organizations, and where the next part starts.

        They are read one slice after the other.
        """
        number, inner = _read_cursor(cursor)
        ids: list[str] = []
        while number < SLICES and len(ids) < limit:
            page = await self._listed.page(slices()[number], limit=limit - len(ids), cursor=inner)
            ids += [listed.id for listed in page.entities]
            inner = page.cursor
            if inner is None:
                number += 1
        return ids, f"{number}.{inner or ''}" if number < SLICES else None

    async def list(self, limit: int, cursor: str | None) -> tuple[list[Organization], str | None]:
        """The same organizations, whole."""
        ids, following = await self.list_ids(limit, cursor)
        return [await self.made(id_) for id_ in ids], following

    async def all(self) -> AsyncIterator[Organization]:
        """Every organization, read page by page."""
        cursor: str | None = None
        while True:
            some, cursor = await self.list(_READ_AT_ONCE, cursor)
            for organization in some:
                yield organization
            if cursor is None:
                return

    async def update(self, organization_id: str, changes: dict[str, Any], if_match: str | None) -> Stored[Organization]:
        """Apply changed fields of the API. A timezone, shard count or number of seats becomes an entry of its history.

        Raises `NotFoundError`, `PreconditionFailedError`, `ValidationError`, and as `SeatLimits.check`.
        """
        self._check_late_window(changes.get("late_window_days"))

        async def decide(organization: Organization) -> Organization:
            return organization.changed(**await self._fields(organization, changes))

        return await self.change(organization_id, decide, if_match)

    async def _fields(self, organization: Organization, changes: dict[str, Any]) -> dict[str, Any]:
        """The organization's own fields, from those of the API."""
        now = self._clock.now()
        fields = dict(changes)
        timezone = fields.pop("timezone", None)
        if timezone is not None and timezone != organization.timezone:
            created = await self._periods.cover(organization, now, now + MINIMUM_LEAD)
            calendar = Calendar(timezone=timezone, anchor=organization.calendars.last.anchor)
            fields["calendars"] = organization.calendars.appended(calendar, created[-1].end, now, pointer="/timezone")
        settlement = {name: fields.pop(name) for name in SETTLEMENT_FIELDS if name in fields}
        if settlement:
            start = await self._periods.first_to_come(organization, now, now + MINIMUM_LEAD)
            fields["settlements"] = organization.rescheduled_settlements(settlement, start, now)
        shard_count = fields.pop("shard_count", None)
        if shard_count is not None and shard_count != organization.shard_counts.last:
            fields["shard_counts"] = organization.grown_shard_counts(shard_count, now, now + MINIMUM_LEAD)
        seats, seats_from = fields.pop("seats", None), fields.pop("seats_from", None)
        if seats is None and seats_from is not None:
            raise ValidationError.at("/seats_from", "goes with seats")
        if seats is not None:
            fields["seats"] = organization.seats.scheduled(seats, seats_from, now, "/seats_from")
            await self._seat_limits.check(organization, seats, seats_from or now, now)
        fields |= organization.patched_details(fields)
        if "settings" in fields:
            fields["settings"] = patched_settings(organization.settings, fields["settings"])
        return fields

    async def replace_settings(
        self,
        organization_id: str,
        own: Mapping[str, Any],
        operators: Mapping[str, Any],
        changer: SettingsChanger,
        if_match: str | None,
    ) -> Stored[Organization]:
        """Replace the organization's own settings, and the operator's as far as they are given.

        Raises `NotFoundError`, `PreconditionFailedError`, `ForbiddenError` for what the caller may not change.
        """

        def decide(organization: Organization) -> Organization:
            before = organization.settings, organization.own_settings
            wanted = OwnSettings.model_validate({**organization.own_settings.of_owners(), **own})
            settings, own_settings = replaced_settings(before, wanted, operators, changer)
            return organization.changed(settings=settings, own_settings=own_settings)

        return await self.change(organization_id, decide, if_match)

    async def delete(self, organization_id: str, if_match: str | None) -> None:
        """End it 10 minutes ahead: nothing becomes due from then on. What did is still invoiced; nothing is erased.

        Raises `NotFoundError`, `PreconditionFailedError`.
        """

        def decide(organization: Organization) -> Organization:
            if organization.ended_at is not None:
                return organization
            return organization.changed(status="deleted", ended_at=self._clock.now() + MINIMUM_LEAD)

        await self.change(organization_id, decide, if_match)

    async def change(
        self,
        organization_id: str,
        decide: Callable[[Organization], Organization | Awaitable[Organization]],
        if_match: str | None = None,
    ) -> Stored[Organization]:
        """Store what `decide` makes of it. Raises `NotFoundError`, `PreconditionFailedError`."""
        changed = await self._organizations.change(organization_id, organization_id, decide, if_match)
        self._cached.pop(organization_id, None)
        return changed


def _read_cursor(cursor: str | None) -> tuple[int, str | None]:
    number, _, inner = (cursor or "0.").partition(".")
    if not number.isdecimal() or int(number) >= SLICES:
        raise MalformedError("The cursor is not one of ours")
    return int(number), inner or None
