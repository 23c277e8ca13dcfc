"""Organizations: made in one step that cannot half-happen, found by id, slug or external id."""

from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from shared.containers import DIRECTORY, TENANTS
from shared.domain.kernel.errors import ConflictError, MalformedError, NotFoundError, UnavailableError, ValidationError
from shared.domain.kernel.histories import LEAD, History
from shared.domain.kernel.ids import fingerprint, is_id
from shared.domain.kernel.merge_patch import merge_patch
from shared.domain.kernel.times import to_text
from shared.domain.periods.periods import Calendar
from shared.domain.tenancy.organizations import (
    SLICES,
    Organization,
    OrganizationSettings,
    is_slug,
    slice_of,
    slices,
    slug_from,
)
from shared.ports.clock import Clock
from shared.ports.store import AlreadyExistsError, Document, Item, Page, StaleEtagError, Store
from shared.services.periods.periods import Periods
from shared.services.storage.caching import Cache
from shared.services.storage.preconditions import check_if_match
from shared.settings import Settings

CACHED = timedelta(seconds=60)
_RESERVED_SECONDS = 3600
_RETRY_AFTER = timedelta(seconds=30)
_NUMBERED_SLUGS = 20


class OrganizationDraft(BaseModel):
    """What is to be made; None where a default applies."""

    name: str
    currency: str
    timezone: str
    slug: str | None = None
    external_id: str | None = None
    description: str | None = None
    billing_email: str | None = None
    contact: str | None = None
    address: str | None = None
    tax_id: str | None = None
    due_days: int | None = None
    grace_hours: int | None = None
    late_window_days: int | None = None
    shard_count: int | None = None
    seats: int = 0
    settings: OrganizationSettings = OrganizationSettings()


class Organizations:
    """Claiming the slug in the directory decides that an organization exists; the rest is made from that claim, which
    a sweep repeats until it is done.
    """

    def __init__(self, store: Store, clock: Clock, periods: Periods, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._periods = periods
        self._settings = settings
        self._found: Cache[str, str] = Cache(clock, CACHED)
        self._cached: Cache[str, Organization] = Cache(clock, CACHED)

    async def create(self, organization_id: str, draft: OrganizationDraft) -> Organization:
        """Raises `ConflictError` where the slug or the external id is taken. Repeating it with the same id completes
        it.
        """
        if draft.external_id is not None:
            await self._reserve_external_id(draft.external_id, organization_id)
        for slug in [draft.slug] if draft.slug else _slugs_for(draft.name, organization_id):
            claimed = await self._claim_slug(slug, organization_id, draft)
            if claimed is not None:
                return await self.complete(claimed)
        if draft.external_id is not None:
            await self._store.delete(DIRECTORY.name, _external_partition(draft.external_id), "organization")
        raise ConflictError(f"The slug {draft.slug} is taken")

    async def _reserve_external_id(self, external_id: str, organization_id: str) -> None:
        partition = _external_partition(external_id)
        claim = {
            "id": "organization",
            "kind": "external_id",
            "organization_id": organization_id,
            "ttl": _RESERVED_SECONDS,
        }
        try:
            await self._store.create(DIRECTORY.name, partition, claim)
        except AlreadyExistsError as error:
            if (await self._claimed(partition))["organization_id"] != organization_id:
                raise ConflictError("The external id is taken") from error

    async def _claim_slug(self, slug: str, organization_id: str, draft: OrganizationDraft) -> Document | None:
        """The claim, or None where another organization has the slug."""
        self._check_late_window(draft.late_window_days)
        now = self._clock.now()
        organization = Organization(
            id=organization_id,
            slug=slug,
            calendars=History[Calendar].starting(Calendar(timezone=draft.timezone)),
            shard_counts=History[int].starting(draft.shard_count or self._settings.shard_count),
            seats=History[int].starting(draft.seats),
            due_days=self._settings.invoice_due_days if draft.due_days is None else draft.due_days,
            grace_hours=self._settings.invoice_grace_hours if draft.grace_hours is None else draft.grace_hours,
            late_window_days=draft.late_window_days or self._settings.late_window_days,
            created_at=now,
            **draft.model_dump(
                exclude={"slug", "timezone", "due_days", "grace_hours", "late_window_days", "shard_count", "seats"}
            ),
        )
        claim: Document = {
            "id": "organization",
            "kind": "slug",
            "slug": slug,
            "organization_id": organization_id,
            "organization": organization.document(),
            "due_at": to_text(now + _RETRY_AFTER),
        }
        try:
            await self._store.create(DIRECTORY.name, f"slug:{slug}", claim)
        except AlreadyExistsError:
            holder = await self._claimed(f"slug:{slug}")
            return holder if holder["organization_id"] == organization_id else None
        return claim

    async def _claimed(self, partition: str) -> Document:
        """The claim that was found to be there when it was to be made."""
        holder = await self._store.get(DIRECTORY.name, partition, "organization")
        if holder is None:
            raise UnavailableError("The name was claimed a moment ago and its holder cannot be read yet")
        return holder.document

    def _check_late_window(self, days: int | None) -> None:
        """Repeats are known as long as raw events are kept, so nothing older may come in."""
        kept = self._settings.event_retention_days
        if days is not None and days > kept:
            raise ValidationError.at("/late_window_days", f"is longer than raw events are kept, {kept} days")

    async def complete(self, claim: Document) -> Organization:
        """Make what a slug's claim promises; safe to repeat at any time."""
        if "organization" not in claim:
            return await self.made(claim["organization_id"])
        organization = Organization.read(claim["organization"])
        try:
            await self._store.create(TENANTS.name, organization.id, organization.document())
        except AlreadyExistsError:
            organization = await self.made(organization.id)
        listed = {"id": organization.id, "kind": "organization"}
        await self._store.upsert(DIRECTORY.name, slice_of(organization.id), listed)
        if organization.external_id is not None:
            confirmed = {"id": "organization", "kind": "external_id", "organization_id": organization.id}
            await self._store.upsert(DIRECTORY.name, _external_partition(organization.external_id), confirmed)
        done = {"id": "organization", "kind": "slug", "slug": organization.slug, "organization_id": organization.id}
        await self._store.upsert(DIRECTORY.name, f"slug:{organization.slug}", done)
        return organization

    async def made(self, organization_id: str) -> Organization:
        """One that is known to be there, though a read may not show it yet. Raises `UnavailableError` then."""
        try:
            return await self.get(organization_id)
        except NotFoundError as error:
            raise UnavailableError("The organization was made a moment ago and cannot be read yet") from error

    async def find(self, reference: str) -> str | None:
        """The id of the organization with this id, slug or external id."""
        return await self._found.get(reference, lambda: self._look_up(reference))

    async def _look_up(self, reference: str) -> str | None:
        if is_id(reference, "org"):
            item = await self._store.get(TENANTS.name, reference, reference)
            if item is not None:
                return reference
        partitions = [_external_partition(reference)]
        if is_slug(reference):
            partitions.insert(0, f"slug:{reference}")
        for partition in partitions:
            item = await self._store.get(DIRECTORY.name, partition, "organization")
            if item is not None:
                return str(item.document["organization_id"])
        return None

    async def get_item(self, organization_id: str) -> tuple[Organization, str]:
        """The organization with its etag. Raises `NotFoundError`."""
        item = await self._store.get(TENANTS.name, organization_id, organization_id)
        if item is None:
            raise NotFoundError("There is no such organization")
        return Organization.read(item.document), item.etag

    async def get(self, organization_id: str) -> Organization:
        return (await self.get_item(organization_id))[0]

    async def cached(self, organization_id: str, *, reload: bool = False) -> Organization:
        """At most 60 s old: enough for raters, as every change of a history takes effect at least 10 minutes ahead."""
        if reload:
            self._cached.forget(organization_id)
        found = self._cached.peek(organization_id)
        if found is None:
            found = await self.get(organization_id)
            self._cached.keep(organization_id, found)
        return found

    async def page(self, partition_number: int, limit: int, cursor: str | None) -> Page:
        """Ids of organizations in one of the 16 slices."""
        return await self._store.query(
            DIRECTORY.name, slices()[partition_number], "organization", limit=limit, cursor=cursor
        )

    async def list(self, limit: int, cursor: str | None) -> tuple[list[Organization], str | None]:
        """Over all slices, one after the other."""
        number, inner = _read_cursor(cursor)
        organizations: list[Organization] = []
        while number < SLICES and len(organizations) < limit:
            page = await self.page(number, limit - len(organizations), inner)
            organizations += [await self.made(item.document["id"]) for item in page.items]
            inner = page.cursor
            if inner is None:
                number += 1
        return organizations, f"{number}.{inner or ''}" if number < SLICES else None

    async def update(
        self, organization_id: str, changes: dict[str, Any], if_match: str | None
    ) -> tuple[Organization, str]:
        """Apply fields of the API. A timezone, shard count or number of seats becomes the next entry of its history.

        Raises `PreconditionFailedError` for a stale `if_match`, `ConflictError` when it changes at this very moment,
        `ValidationError`.
        """
        organization, etag = await self.get_item(organization_id)
        check_if_match(if_match, etag)
        now = self._clock.now()
        fields = dict(changes)
        self._check_late_window(fields.get("late_window_days"))
        timezone = fields.pop("timezone", None)
        if timezone is not None and timezone != organization.timezone:
            created = await self._periods.cover(organization, now, now + LEAD)
            calendar = Calendar(timezone=timezone)
            fields["calendars"] = organization.calendars.appended(calendar, created[-1].end, now, pointer="/timezone")
        shard_count = fields.pop("shard_count", None)
        if shard_count is not None and shard_count != organization.shard_counts.last:
            fields["shard_counts"] = organization.grown_to(shard_count, now, now + LEAD)
        seats, seats_from = fields.pop("seats", None), fields.pop("seats_from", None)
        if seats is None and seats_from is not None:
            raise ValidationError.at("/seats_from", "goes with seats")
        if seats is not None and seats != organization.seats.last:
            fields["seats"] = organization.seats.appended(seats, seats_from or now + LEAD, now, pointer="/seats_from")
        if "settings" in fields:
            fields["settings"] = merge_patch(organization.settings.model_dump(), fields["settings"]) or {}
        return await self._replace(organization.changed(**fields), etag)

    async def delete(self, organization_id: str, if_match: str | None) -> None:
        """Nothing becomes due from 10 minutes ahead on; what did is still invoiced, and nothing is erased."""
        organization, etag = await self.get_item(organization_id)
        check_if_match(if_match, etag)
        if organization.ended_at is None:
            await self._replace(organization.changed(status="deleted", ended_at=self._clock.now() + LEAD), etag)

    async def _replace(self, organization: Organization, etag: str) -> tuple[Organization, str]:
        try:
            etag = await self._store.replace(TENANTS.name, organization.id, organization.document(), etag)
        except StaleEtagError as error:
            raise ConflictError("The organization is being changed by someone else; read it again") from error
        self._cached.forget(organization.id)
        return organization, etag

    async def complete_due(self, item: Item) -> None:
        await self.complete(item.document)


def _read_cursor(cursor: str | None) -> tuple[int, str | None]:
    number, _, inner = (cursor or "0.").partition(".")
    if not number.isdecimal() or int(number) >= SLICES:
        raise MalformedError("The cursor is not one of ours")
    return int(number), inner or None


def _slugs_for(name: str, organization_id: str) -> list[str]:
    wanted = slug_from(name)
    numbered = [f"{wanted[:37]}-{number}" for number in range(2, _NUMBERED_SLUGS)]
    return [wanted, *numbered, f"{wanted[:33]}-{organization_id[-6:]}"]


def _external_partition(external_id: str) -> str:
    return f"external:{fingerprint(external_id)}"
