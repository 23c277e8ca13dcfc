"""Billing models: the operator's, for every organization, and the organizations' own; in versions that never change."""

from datetime import datetime, timedelta

from shared.containers import CATALOG, TENANTS
from shared.domain.kernel.errors import (
    ConflictError,
    MalformedError,
    NotFoundError,
    PreconditionFailedError,
    UnavailableError,
    ValidationError,
)
from shared.domain.kernel.histories import LEAD, History, check_start
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
from shared.ports.store import AlreadyExistsError, Create, Page, Replace, StaleEtagError, Store
from shared.services.storage.caching import Cache
from shared.services.storage.owners import Owners
from shared.services.storage.preconditions import check_if_match
from shared.services.tenancy.organizations import Organizations
from shared.settings import Settings

OPERATOR = "operator"
CACHED = timedelta(seconds=60)
MAXIMUM_VERSIONS = 500
_FOREVER = timedelta(days=3650)
_OPERATORS_PARTITION = "billing_models"


class BillingModels:
    def __init__(
        self, store: Store, clock: Clock, owners: Owners, organizations: Organizations, settings: Settings
    ) -> None:
        self._store = store
        self._clock = clock
        self._owners = owners
        self._organizations = organizations
        self._settings = settings
        self._models: Cache[tuple[str, str], BillingModel] = Cache(clock, CACHED)
        self._versions: Cache[str, Version] = Cache(clock, _FOREVER)

    async def create(
        self, model_id: str, organization_id: str | None, draft: BillingModelDraft
    ) -> tuple[BillingModel, Version, str]:
        """A published first version; it may take effect in the past. Repeating it with the same id gives what was
        made.

        Raises `ValidationError` for a start too long ago, or another currency than the organization's.
        """
        now = self._clock.now()
        start = draft.effective_from or now
        check_start(start, now, timedelta(days=self._settings.backdating_days), "/effective_from")
        if organization_id is not None:
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
        try:
            etags = await self._store.batch(
                *_place(organization_id), [Create(model.document()), Create(version.document())]
            )
        except AlreadyExistsError as error:
            try:
                existing, etag = await self.get_item(organization_id, model_id)
            except NotFoundError:
                raise UnavailableError("The model was made a moment ago and cannot be read yet") from error
            return existing, await self.version(existing, existing.versions.first), etag
        return model, version, etags[0]

    async def publish(
        self, organization_id: str | None, model_id: str, draft: BillingModelDraft, if_match: str | None
    ) -> tuple[BillingModel, Version, str]:
        """A new version, 10 minutes ahead or later.

        Raises `PreconditionFailedError`, `ConflictError` for an archived model, `ValidationError` where a charge's key
        would change its meaning.
        """
        model, etag = await self.get_item(organization_id, model_id)
        check_if_match(if_match, etag)
        if model.archived_at is not None:
            raise ConflictError("The billing model is archived")
        if draft.currency != model.currency:
            raise ValidationError.at("/currency", f"cannot differ between versions; it is {model.currency}")
        number = model.versions.last.number + 1
        if number > MAXIMUM_VERSIONS:
            raise ConflictError(f"A billing model has at most {MAXIMUM_VERSIONS} versions")
        check_succession(
            [charge for version in await self.versions(model) for charge in version.charges], draft.charges
        )
        now = self._clock.now()
        start = draft.effective_from or max(
            now + LEAD, model.versions.entries[-1].effective_from + timedelta(microseconds=1)
        )
        version = _version(model_id, number, start, draft)
        changed = model.changed(
            name=draft.name,
            description=draft.description,
            versions=model.versions.appended(VersionReference(id=version.id, number=number), start, now),
        )
        try:
            etags = await self._store.batch(
                *_place(organization_id), [Replace(changed.document(), etag), Create(version.document())]
            )
        except (StaleEtagError, AlreadyExistsError) as error:
            raise PreconditionFailedError(
                "The billing model is being changed by someone else; read it again"
            ) from error
        return changed, version, etags[0]

    async def archive(self, organization_id: str | None, model_id: str) -> tuple[BillingModel, str]:
        """No agent can be put on it from then on; those on it stay. Repeating it changes nothing."""
        model, etag = await self.get_item(organization_id, model_id)
        if model.archived_at is not None:
            return model, etag
        archived = model.changed(archived_at=self._clock.now())
        try:
            etag = await self._store.replace(*_place(organization_id), archived.document(), etag)
        except StaleEtagError as error:
            raise ConflictError("The billing model is being changed by someone else; try again") from error
        return archived, etag

    async def get_item(self, organization_id: str | None, model_id: str) -> tuple[BillingModel, str]:
        """A model of this organization's own, or with None of the operator's. Raises `NotFoundError`."""
        item = await self._store.get(*_place(organization_id), model_id) if is_id(model_id, "bm") else None
        if item is None or item.document["kind"] != BillingModel.kind:
            raise NotFoundError("There is no such billing model")
        return BillingModel.read(item.document), item.etag

    async def visible(self, organization_id: str, model_id: str) -> tuple[BillingModel, str]:
        """A model that the organization can use: its own or the operator's. Raises `NotFoundError`."""
        try:
            return await self.get_item(organization_id, model_id)
        except NotFoundError:
            return await self.get_item(None, model_id)

    async def check_usable(self, organization_id: str, model_id: str) -> None:
        """Raises `ValidationError` at `/billing_model_id`."""
        try:
            model, _ = await self.visible(organization_id, model_id)
        except NotFoundError as error:
            raise ValidationError.at("/billing_model_id", "there is no such billing model") from error
        if model.archived_at is not None:
            raise ValidationError.at("/billing_model_id", "the billing model is archived")
        organization = await self._organizations.get(organization_id)
        if model.currency != organization.currency:
            raise ValidationError.at(
                "/billing_model_id", f"has prices in {model.currency}; the organization pays {organization.currency}"
            )

    async def cached(self, organization_id: str, model_id: str) -> BillingModel:
        """At most 60 s old, for raters."""
        model = self._models.peek((organization_id, model_id))
        return model if model is not None else await self._read_again(organization_id, model_id)

    async def _read_again(self, organization_id: str, model_id: str) -> BillingModel:
        model, _ = await self.visible(organization_id, model_id)
        self._models.keep((organization_id, model_id), model)
        return model

    async def version(self, model: BillingModel, reference: VersionReference) -> Version:
        version = self._versions.peek(reference.id)
        return version if version is not None else (await self._read_versions(model, [reference.id]))[0]

    async def versions(self, model: BillingModel) -> list[Version]:
        """All of them, oldest first."""
        return await self._read_versions(model, [entry.value.id for entry in model.versions.entries])

    async def version_of(self, organization_id: str, models: History[str | None], version_id: str) -> Version | None:
        """The version with this id among those of the models in an agent's history; None where there is none, and for
        usage without one. Models are read anew where they have no such version yet as they are known here.
        """
        if version_id == NO_VERSION:
            return None
        used = dict.fromkeys(entry.value for entry in models.entries if entry.value is not None)
        for read in (self.cached, self._read_again):
            for model_id in used:
                for version in await self.versions(await read(organization_id, model_id)):
                    if version.id == version_id:
                        return version
        return None

    async def _read_versions(self, model: BillingModel, ids: list[str]) -> list[Version]:
        """Written with the model that names them, so one that is missing cannot be read yet."""
        missing = [id_ for id_ in ids if self._versions.peek(id_) is None]
        found = await self._store.get_many(*_place(model.organization_id), missing) if missing else {}
        read = {id_: Version.read(item.document) for id_, item in found.items()}
        for id_, version in read.items():
            self._versions.keep(id_, version)
        kept = [read.get(id_) or self._versions.peek(id_) for id_ in ids]
        versions = [version for version in kept if version is not None]
        if len(versions) < len(ids):
            raise UnavailableError("A version of the model was made a moment ago and cannot be read yet")
        return versions

    async def page(self, organization_id: str | None, limit: int, cursor: str | None) -> Page:
        """One owner's models, newest first."""
        return await self._store.query(
            *_place(organization_id), BillingModel.kind, descending=True, limit=limit, cursor=cursor
        )

    async def page_visible(self, organization_id: str, limit: int, cursor: str | None) -> Page:
        """The organization's own models, then the operator's."""
        place, _, inner = (cursor or "own.").partition(".")
        if place not in ("own", "operator"):
            raise MalformedError("The cursor is not one of ours")
        items = []
        if place == "own":
            own = await self.page(organization_id, limit, inner or None)
            if own.cursor is not None:
                return Page(own.items, f"own.{own.cursor}")
            items, inner = own.items, ""
        if len(items) == limit:
            return Page(items, "operator.")
        operators = await self.page(None, limit - len(items), inner or None)
        return Page(items + operators.items, f"operator.{operators.cursor}" if operators.cursor is not None else None)


def _place(organization_id: str | None) -> tuple[str, str]:
    """The container and partition of an owner's models."""
    return (CATALOG.name, _OPERATORS_PARTITION) if organization_id is None else (TENANTS.name, organization_id)


def _version(model_id: str, number: int, effective_from: datetime, draft: BillingModelDraft) -> Version:
    return Version(
        id=named_id("bmv", model_id, number),
        model_id=model_id,
        number=number,
        effective_from=effective_from,
        charges=draft.charges,
    )
