"""Billing models: the operator's, for all organizations, and the organizations' own; versions never change."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from cachetools import LRUCache

from shared.containers import CATALOG, TENANTS, Container
from shared.domain.kernel.errors import (
    ConflictError,
    MalformedError,
    NotFoundError,
    UnavailableError,
    ValidationError,
)
from shared.domain.kernel.histories import MINIMUM_LEAD, History, check_start
from shared.domain.kernel.ids import is_id, named_id
from shared.domain.pricing.billing_models import (
    BillingModel,
    BillingModelDraft,
    Version,
    VersionReference,
    check_succession,
)
from shared.domain.usage.events import NO_VERSION
from shared.ports.clock import Clock
from shared.services.storage import OPERATOR, Operation, Owners, Page, Records, Store, Stored, creating, look_twice
from shared.services.storage.recent_reads import RecentReads
from shared.services.tenancy.organizations import Organizations
from shared.settings import Settings

CACHED = timedelta(seconds=60)
MAXIMUM_VERSIONS = 500
MAXIMUM_CACHED = 10_000
_OPERATORS_PARTITION = "billing_models"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an owner's models and their versions are stored."""

    models: Records[BillingModel]
    versions: Records[Version]
    partition: str


class BillingModels:
    def __init__(
        self, store: Store, clock: Clock, owners: Owners, organizations: Organizations, settings: Settings
    ) -> None:
        self._clock = clock
        self._owners = owners
        self._organizations = organizations
        self._settings = settings
        self._operators = (_models_in(store, CATALOG), Records(store, CATALOG, Version))
        self._organizations_own = (_models_in(store, TENANTS, clock), Records(store, TENANTS, Version))
        self._cached_models = RecentReads[tuple[str, str], BillingModel](MAXIMUM_CACHED, CACHED, clock)
        self._cached_versions = LRUCache[str, Version](MAXIMUM_CACHED)
        """A version never changes."""

    def _place(self, organization_id: str | None) -> _Place:
        """Where the organization's own models are, or with None the operator's."""
        if organization_id is None:
            return _Place(*self._operators, _OPERATORS_PARTITION)
        return _Place(*self._organizations_own, organization_id)

    async def create(
        self, model_id: str, organization_id: str | None, draft: BillingModelDraft
    ) -> tuple[BillingModel, Version, str]:
        """Create a model with its first version, published. Returns also its ETag.

        The version may take effect in the past. Repeating it with the same id gives what was created. Raises
        `ValidationError` for a start too long ago, commitments or another currency than the organization's.
        """
        now = self._clock.now()
        start = draft.effective_from or now
        check_start(start, now, timedelta(days=self._settings.backdating_days), "/effective_from")
        if organization_id is not None:
            _check_no_commitments(draft)
            organization = await self._organizations.get(organization_id)
            if draft.currency != organization.currency:
                raise ValidationError.at("/currency", f"is not the organization's, {organization.currency}")
        version = _version(model_id, 1, start, draft)
        model = BillingModel(
            id=model_id,
            organization_id=organization_id,
            name=draft.name,
            description=draft.description,
            currency=draft.currency,
            versions=History[VersionReference].starting(VersionReference(id=version.id, number=1), at=start),
        )
        await self._owners.note(model_id, organization_id or OPERATOR)
        place = self._place(organization_id)
        stored = await place.models.create(place.partition, model, creating(version))
        if stored.entity == model:
            return model, version, stored.etag
        return stored.entity, await self.version(stored.entity, stored.entity.versions.first), stored.etag

    async def publish(
        self, organization_id: str | None, model_id: str, draft: BillingModelDraft, if_match: str | None
    ) -> tuple[BillingModel, Version, str]:
        """Add a version, 10 minutes ahead or later; the model's ETag comes with it.

        Raises `NotFoundError`, `PreconditionFailedError`, `ConflictError` for an archived model, `ValidationError`
        where a charge's key would change its meaning.
        """
        place = self._place(organization_id)

        async def decide(model: BillingModel) -> BillingModel:
            await self._check_publishable(model, draft)
            now = self._clock.now()
            last = model.versions.entries[-1]
            start = draft.effective_from or max(now + MINIMUM_LEAD, last.effective_from + timedelta(microseconds=1))
            version = _version(model_id, last.value.number + 1, start, draft)
            return model.changed(
                name=draft.name,
                description=draft.description,
                versions=model.versions.appended(VersionReference(id=version.id, number=version.number), start, now),
            )

        def beside(_before: BillingModel, after: BillingModel) -> Sequence[Operation]:
            return [creating(_last_version(after, draft))]

        model, etag = await place.models.change(place.partition, model_id, decide, if_match, beside=beside)
        return model, _last_version(model, draft), etag

    async def _check_publishable(self, model: BillingModel, draft: BillingModelDraft) -> None:
        """Raises `ConflictError`, `ValidationError`."""
        if model.archived_at is not None:
            raise ConflictError("The billing model is archived")
        if draft.currency != model.currency:
            raise ValidationError.at("/currency", f"cannot differ between versions; it is {model.currency}")
        if model.versions.last.number >= MAXIMUM_VERSIONS:
            raise ConflictError(f"A billing model has at most {MAXIMUM_VERSIONS} versions")
        published = await self.versions(model)
        if model.place is None and not published[0].commitments:
            _check_no_commitments(draft)
        check_succession([charge for version in published for charge in version.charges], draft.charges)

    async def reserve(self, model_id: str, currency: str, place: str, pointer: str) -> None:
        """Keep one of the operator's models for the plans of a place: lines of two places never mix.

        Raises `ValidationError` at `pointer` where it is archived, in another currency, or kept for another place.
        """

        def decide(model: BillingModel) -> BillingModel:
            if model.archived_at is not None:
                raise ValidationError.at(pointer, "the billing model of this version is archived")
            if model.currency != currency:
                raise ValidationError.at(pointer, f"has prices in {model.currency}")
            if model.place not in (None, place):
                detail = f"the billing model of this version is for plans of the place {model.place}; make another one"
                raise ValidationError.at(pointer, detail)
            return model.changed(place=place)

        await self._operators[0].change(_OPERATORS_PARTITION, model_id, decide)

    async def archive(self, organization_id: str | None, model_id: str) -> Stored[BillingModel]:
        """No agent can be put on it any more; those on it stay. Repeating it changes nothing."""

        def decide(model: BillingModel) -> BillingModel:
            return model if model.archived_at is not None else model.changed(archived_at=self._clock.now())

        place = self._place(organization_id)
        return await place.models.change(place.partition, model_id, decide)

    async def get(self, organization_id: str | None, model_id: str) -> Stored[BillingModel]:
        """One of the organization's own models, or with None of the operator's. Raises `NotFoundError`."""
        place = self._place(organization_id)
        return await place.models.get(place.partition, model_id)

    async def visible(self, organization_id: str, model_id: str) -> Stored[BillingModel]:
        """A model that the organization can use: its own or the operator's. Raises `NotFoundError`."""
        try:
            return await self.get(organization_id, model_id)
        except NotFoundError:
            return await self.get(None, model_id)

    async def check_usable(self, organization_id: str, model_id: str) -> None:
        """Raises `ValidationError` unless the organization's agents can be put on the model."""
        try:
            model, _ = await self.visible(organization_id, model_id)
        except NotFoundError as error:
            raise ValidationError.at("/billing_model_id", "there is no such billing model") from error
        if model.archived_at is not None:
            raise ValidationError.at("/billing_model_id", "the billing model is archived")
        if model.place is not None:
            raise ValidationError.at("/billing_model_id", "prices plans; the organization subscribes to one of these")
        if any(version.commitments for version in await self.versions(model)):
            detail = "has commitments, which hold in plans only: name a model without, or subscribe to a plan with it"
            raise ValidationError.at("/billing_model_id", detail)
        organization = await self._organizations.get(organization_id)
        if model.currency != organization.currency:
            raise ValidationError.at(
                "/billing_model_id", f"has prices in {model.currency}; the organization pays {organization.currency}"
            )

    async def cached(self, organization_id: str, model_id: str) -> BillingModel:
        """At most 60 s old, for metering."""
        model = self._cached_models.find((organization_id, model_id))
        return model if model is not None else await self._read_again(organization_id, model_id)

    async def _read_again(self, organization_id: str, model_id: str) -> BillingModel:
        model, _ = await self.visible(organization_id, model_id)
        self._cached_models[organization_id, model_id] = model
        return model

    async def version(self, model: BillingModel, reference: VersionReference) -> Version:
        version = self._cached_versions.get(reference.id)
        return version if version is not None else (await self._read_versions(model, [reference.id]))[0]

    async def versions(self, model: BillingModel) -> list[Version]:
        """All of them, oldest first."""
        return await self._read_versions(model, [entry.value.id for entry in model.versions.entries])

    async def published(self, version_id: str) -> Version | None:
        """A version of the operator's models by its id; None where there is none."""
        version = self._cached_versions.get(version_id)
        if version is None and is_id(version_id, "bmv"):
            find = partial(self._operators[1].find, _OPERATORS_PARTITION, version_id)
            stored = await look_twice(find, is_doubtful=lambda found: found is None)
            if stored is not None:
                version = self._cached_versions[version_id] = stored.entity
        return version

    async def version_of(self, organization_id: str, models: History[str | None], version_id: str) -> Version | None:
        """The version with this id among those of an agent's models.

        None where there is none. Where the cached models have no such version, they are read again.
        """
        if version_id == NO_VERSION:
            return None
        used = dict.fromkeys(entry.value for entry in models.entries if entry.value is not None)
        return await self._first_version(organization_id, used, lambda version: version.id == version_id)

    async def has_charge(self, organization_id: str, model_id: str, key: str) -> bool:
        """Whether any version of the model has a charge with this key."""

        def has_key(version: Version) -> bool:
            return any(charge.key == key for charge in version.charges)

        return await self._first_version(organization_id, [model_id], has_key) is not None

    async def _first_version(
        self, organization_id: str, model_ids: Collection[str], is_wanted: Callable[[Version], bool]
    ) -> Version | None:
        """Among those of cached models, else of the models read anew."""
        for read in (self.cached, self._read_again):
            for model_id in model_ids:
                for version in await self.versions(await read(organization_id, model_id)):
                    if is_wanted(version):
                        return version
        return None

    async def _read_versions(self, model: BillingModel, ids: list[str]) -> list[Version]:
        """Versions are stored with the model that names them. Raises `UnavailableError` where one is not read yet."""
        known = {version_id: version for version_id in ids if (version := self._cached_versions.get(version_id))}
        missing = [version_id for version_id in ids if version_id not in known]
        if missing:
            place = self._place(model.organization_id)
            for version, _ in (await place.versions.get_many(place.partition, missing)).values():
                self._cached_versions[version.id] = known[version.id] = version
        if len(known) < len(ids):
            raise UnavailableError("A version of the model was made a moment ago and cannot be read yet")
        return [known[version_id] for version_id in ids]

    async def page(self, organization_id: str | None, limit: int, cursor: str | None) -> Page[BillingModel]:
        """One owner's models, newest first."""
        place = self._place(organization_id)
        return await place.models.page(place.partition, descending=True, limit=limit, cursor=cursor)

    async def page_visible(self, organization_id: str, limit: int, cursor: str | None) -> Page[BillingModel]:
        """The organization's own models, then the operator's. Raises `MalformedError` for a cursor of another list."""
        owner, _, inner = (cursor or "own.").partition(".")
        if owner not in ("own", "operator"):
            raise MalformedError("The cursor is not one of ours")
        models: list[Stored[BillingModel]] = []
        if owner == "own":
            page = await self.page(organization_id, limit, inner or None)
            if page.cursor is not None:
                return Page(page.stored, f"own.{page.cursor}")
            models, inner = [*page.stored], ""
        if len(models) == limit:
            return Page(models, "operator.")
        page = await self.page(None, limit - len(models), inner or None)
        return Page([*models, *page.stored], f"operator.{page.cursor}" if page.cursor is not None else None)


def _check_no_commitments(draft: BillingModelDraft) -> None:
    """Of a model that agents may be on: nothing would rate them there. Raises `ValidationError`."""
    if draft.commitments:
        detail = "hold in plans only: leave them out, or create another of the operator's models with them for a plan"
        raise ValidationError.at("/commitments", detail)


def _models_in(store: Store, container: Container, clock: Clock | None = None) -> Records[BillingModel]:
    """With a clock, the limits of plans hold for them."""
    return Records(store, container, BillingModel, prefix="bm", clock=clock)


def _last_version(model: BillingModel, draft: BillingModelDraft) -> Version:
    """The version that a model has just got from the draft."""
    last = model.versions.entries[-1]
    return _version(model.id, last.value.number, last.effective_from, draft)


def _version(model_id: str, number: int, effective_from: datetime, draft: BillingModelDraft) -> Version:
    return Version(
        id=named_id("bmv", model_id, number),
        model_id=model_id,
        number=number,
        effective_from=effective_from,
        charges=draft.charges,
        commitments=draft.commitments,
    )
