"""API keys: their token is shown once and stored as a hash."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.api_keys import (
    ApiKey,
    WorkingKey,
    check_reporting,
    expiry_within,
    key_partition,
    maker_of,
    new_token,
    parent_of,
    projects_within,
    shown_prefix,
)
from shared.domain.access.identity import FOR_PEOPLE, OPERATOR_ONLY, Permission, Principal
from shared.domain.access.reporting import Reporting
from shared.domain.kernel.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    UnavailableError,
    ValidationError,
)
from shared.domain.kernel.ids import fingerprint
from shared.ports.clock import Clock
from shared.services.access.key_uses import KeyUses
from shared.services.storage import (
    OPERATOR,
    Operation,
    Outbox,
    OutboxEntry,
    Owners,
    Page,
    Records,
    StaleEtagError,
    Store,
    Stored,
    look_twice,
    putting,
)
from shared.services.tenancy.allocation_targets import AllocationTargets

KEY_CHANGED = "api_key_changed"
"""The effect of a change to a key: what makes it work gets the change, too."""
_WORKING = "key"


class ApiKeyDraft(BaseModel):
    """A key as it is asked for."""

    name: str
    scopes: tuple[Permission, ...]
    expires_at: datetime | None = None
    reporting: Reporting = Reporting()
    projects: tuple[str, ...] | None = None


class ApiKeys:
    """A key works while it is in the directory. It is listed before that, and until after that, so that every key
    that works can be seen and revoked.
    """

    def __init__(self, store: Store, clock: Clock, owners: Owners, key_uses: KeyUses, outbox: Outbox) -> None:
        self._clock = clock
        self._outbox = outbox
        self._changes = outbox.sender(KEY_CHANGED)
        self._keys = Records(store, TENANTS, ApiKey, prefix="key", called="API key", owners=owners, clock=clock)
        self._working_keys = Records(store, DIRECTORY, WorkingKey)
        self._uses = key_uses
        self._targets = AllocationTargets(store)

    async def create(
        self, key_id: str, organization_id: str | None, draft: ApiKeyDraft, creator: Principal, *, force: bool = False
    ) -> tuple[Stored[ApiKey], str | None]:
        """The key and its token; without an organization a key of the operator's.

        Unless forced, an equal key that works is found in place of making another; its token is None. Raises
        `ForbiddenError` for what the creator may not do itself, `ValidationError`, and `ConflictError` where the key
        was created before: its token cannot be shown again.
        """
        now = self._clock.now()
        if draft.expires_at is not None and draft.expires_at <= now:
            raise ValidationError.at("/expires_at", "must be in the future")
        _check_scopes(draft.scopes, organization_id, creator)
        _check_may_make_agents(draft.reporting, creator)
        parent = parent_of(organization_id, creator)
        projects = await self._projects(organization_id, draft, creator)
        token = new_token()
        key = ApiKey(
            id=key_id,
            organization_id=organization_id,
            name=draft.name,
            scopes=draft.scopes,
            key_prefix=shown_prefix(token),
            fingerprint=fingerprint(token),
            created_at=now,
            expires_at=expiry_within(parent, draft.expires_at),
            ancestors=() if parent is None else parent.lineage,
            reporting=draft.reporting,
            projects=projects,
            created_by=creator.user_id if parent is None else parent.created_by,
            maker=maker_of(organization_id, creator),
        )
        check_reporting(key)
        owner = organization_id or OPERATOR
        equal = None if force else await self._equal(owner, key)
        if equal is not None:
            return equal, None
        listed = await self._keys.create(owner, key)
        if listed.entity.fingerprint != key.fingerprint:
            raise ConflictError("This key was made before, and its token was shown then; delete it and make another")
        await self._working_keys.create(key_partition(key.fingerprint), WorkingKey(id=_WORKING, key=key))
        return await self._confirm_listed(owner, listed), token

    async def _equal(self, owner: str, wanted: ApiKey) -> Stored[ApiKey] | None:
        """One that works and differs in nothing that anybody asked for."""
        async for stored in self._keys.all(owner):
            key = stored.entity
            if key.id != wanted.id and key.valid_at(wanted.created_at) and key.is_equal_to(wanted):
                return stored
        return None

    async def _projects(
        self, organization_id: str | None, draft: ApiKeyDraft, creator: Principal
    ) -> tuple[str, ...] | None:
        projects = projects_within(draft.projects, draft.scopes, creator)
        if projects is not None and organization_id is None:
            raise ValidationError.at("/projects", "are for keys of an organization")
        for index, project_id in enumerate(projects or ()):
            await self._targets.check_known_project(organization_id or "", project_id, f"/projects/{index}")
        return projects

    async def _confirm_listed(self, owner: str, listed: Stored[ApiKey]) -> Stored[ApiKey]:
        """Fails where the key was deleted meanwhile: the deletion may have come before the key was in the directory."""
        try:
            return await self._keys.write(owner, listed, listed.entity)
        except StaleEtagError as error:
            await self._working_keys.remove(key_partition(listed.entity.fingerprint), _WORKING)
            raise ConflictError("The key was deleted while it was being made") from error

    async def get(self, owner: str, key_id: str) -> Stored[ApiKey]:
        """Raises `NotFoundError`."""
        return await self._keys.get(owner, key_id)

    async def page(self, organization_id: str | None, limit: int, cursor: str | None) -> Page[ApiKey]:
        """Newest first; without an organization the operator's own keys."""
        return await self._keys.page(organization_id or OPERATOR, descending=True, limit=limit, cursor=cursor)

    async def update(
        self, owner: str, key_id: str, changes: dict[str, Any], changer: Principal, if_match: str | None
    ) -> Stored[ApiKey]:
        """Apply changed fields: the name, and those of `Reporting`. They take effect as a revocation does.

        Raises `NotFoundError`, `PreconditionFailedError`, `ValidationError`, and `ForbiddenError` for what the changer
        may not do itself.
        """

        def decide(key: ApiKey) -> ApiKey:
            reporting = Reporting.model_validate({**key.reporting.model_dump(), **_of_reporting(changes)})
            if reporting.make_agents != key.reporting.make_agents:
                _check_may_make_agents(reporting, changer)
            changed = key.changed(name=changes.get("name", key.name), reporting=reporting)
            if changed == key:
                return key
            check_reporting(changed)
            return changed.changed(revision=key.revision + 1)

        def beside(_before: ApiKey, after: ApiKey) -> Sequence[Operation]:
            return [putting(self._change_entry(owner, after))]

        changed = await self._keys.change(owner, key_id, decide, if_match, beside=beside)
        await self._outbox.attempt(TENANTS.name, owner, self._change_entry(owner, changed.entity).id)
        return changed

    async def deactivate(self, owner: str, key_id: str) -> Stored[ApiKey]:
        """Stop it for good; it stays listed. Raises `NotFoundError`, and `UnavailableError` while it may work."""
        return await self._change_at_once(owner, key_id, lambda key: key.changed(is_active=False))

    async def adopt(self, owner: str, key_id: str, adopter: Principal) -> Stored[ApiKey]:
        """Let it go on with the adopter as its maker, as far as that user may do what it does.

        Raises `NotFoundError`, and `ForbiddenError` where the adopter is no signed-in user of the key's owner.
        """
        await self._keys.get(owner, key_id)
        if adopter.user_id is None or (adopter.organization_id or OPERATOR) != owner:
            raise ForbiddenError("Only a signed-in owner adopts a key: it stops with who adopts it")
        return await self._change_at_once(owner, key_id, lambda key: key.changed(maker=adopter.user_id))

    async def _change_at_once(self, owner: str, key_id: str, change: Callable[[ApiKey], ApiKey]) -> Stored[ApiKey]:
        """Return once what makes it work is changed, too."""

        def decide(key: ApiKey) -> ApiKey:
            changed = change(key)
            return key if changed == key else changed.changed(revision=key.revision + 1)

        changed = await self._keys.change(
            owner, key_id, decide, beside=lambda _, after: [putting(self._change_entry(owner, after))]
        )
        await self.apply_change(owner, key_id, str(changed.entity.revision))
        await self._outbox.attempt(TENANTS.name, owner, self._change_entry(owner, changed.entity).id)
        return changed

    async def delete_made_by(self, organization_id: str, user_id: str) -> None:
        """Revoke all keys that a user made in an organization, with those that descend from them."""
        async for key, _ in self._keys.all(organization_id):
            if key.created_by == user_id:
                with suppress(NotFoundError):
                    await self.delete(organization_id, key.id, None)

    def _change_entry(self, owner: str, key: ApiKey) -> OutboxEntry:
        return self._changes.entry(f"{KEY_CHANGED}:{key.id}", owner=owner, key_id=key.id, revision=str(key.revision))

    async def apply_change(self, owner: str, key_id: str, revision: str) -> None:
        """What happens for `KEY_CHANGED`. A key that was revoked meanwhile stays revoked.

        Raises `UnavailableError` where a read does not show the change yet.
        """
        with suppress(NotFoundError):
            listed = await look_twice(lambda: self._keys.get(owner, key_id), errors=(NotFoundError,))
            newest = listed.entity
            if newest.revision < int(revision):
                raise UnavailableError("The change of an API key cannot be read yet")

            def decide(working: WorkingKey) -> WorkingKey:
                return working if working.key.revision >= newest.revision else working.changed(key=newest)

            await self._working_keys.change(key_partition(newest.fingerprint), _WORKING, decide)

    async def delete(self, owner: str, key_id: str, if_match: str | None) -> None:
        """Revoke it, then unlist it. Raises `NotFoundError`, `PreconditionFailedError`."""

        async def attempt() -> None:
            listed = await self._keys.get(owner, key_id, if_match)
            await self._working_keys.remove(key_partition(listed.entity.fingerprint), _WORKING)
            await self._uses.forget(owner, key_id)
            await self._keys.erase(owner, listed)  # loses to `_confirm_listed` of a key that has just begun to work

        await self._keys.retry(attempt, if_match)


def _check_scopes(scopes: Sequence[Permission], organization_id: str | None, creator: Principal) -> None:
    for index, scope in enumerate(scopes):
        if not creator.may(scope):
            raise ForbiddenError(f"You cannot give {scope.value}, which you do not have")
        if scope in FOR_PEOPLE:
            raise ValidationError.at(f"/scopes/{index}", "is for people who are signed in, not for keys")
        if organization_id is not None and scope in OPERATOR_ONLY:
            raise ValidationError.at(f"/scopes/{index}", "is for the operator's own keys")


def _check_may_make_agents(reporting: Reporting, giver: Principal) -> None:
    if reporting.make_agents is not None and not giver.may(Permission.AGENTS_WRITE):
        raise ForbiddenError(f"You cannot give make_agents without {Permission.AGENTS_WRITE.value}")


def _of_reporting(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if name in Reporting.model_fields}
