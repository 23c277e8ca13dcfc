"""Threads: made and changed."""

from typing import Any

from pydantic import BaseModel

from shared.containers import TENANTS
from shared.domain.kernel.errors import ConflictError, NotFoundError, PreconditionFailedError, UnavailableError
from shared.domain.kernel.ids import is_id
from shared.domain.runs.threads import Thread
from shared.ports.clock import Clock
from shared.ports.store import AlreadyExistsError, Page, StaleEtagError, Store
from shared.services.storage.caller_json import merged
from shared.services.storage.owners import Owners
from shared.services.storage.preconditions import check_if_match
from shared.services.tenancy.allocation_targets import check_project, status_of_project


class ThreadDraft(BaseModel):
    project_id: str | None = None
    title: str | None = None
    metadata: str = "{}"


class Threads:
    def __init__(self, store: Store, clock: Clock, owners: Owners) -> None:
        self._store = store
        self._clock = clock
        self._owners = owners

    async def create(self, thread_id: str, organization_id: str, draft: ThreadDraft) -> tuple[Thread, str]:
        """Raises `ValidationError` for a project that nothing can be put into. Repeating it with the same id gives the
        thread that was made.
        """
        await check_project(self._store, organization_id, draft.project_id)
        thread = Thread(
            id=thread_id, organization_id=organization_id, created_at=self._clock.now(), **draft.model_dump()
        )
        await self._owners.note(thread_id, organization_id)
        try:
            return thread, await self._store.create(TENANTS.name, organization_id, thread.document())
        except AlreadyExistsError as error:
            existing = await self._store.get(TENANTS.name, organization_id, thread_id)
            if existing is None:
                raise UnavailableError("The thread was made a moment ago and cannot be read yet") from error
            return Thread.read(existing.document), existing.etag

    async def get_item(self, organization_id: str, thread_id: str) -> tuple[Thread, str]:
        """Raises `NotFoundError`."""
        item = await self._store.get(TENANTS.name, organization_id, thread_id) if is_id(thread_id, "thr") else None
        if item is None:
            raise NotFoundError("There is no such thread")
        return Thread.read(item.document), item.etag

    async def page(self, organization_id: str, project_id: str | None, limit: int, cursor: str | None) -> Page:
        """Newest first."""
        equals = {} if project_id is None else {"project_id": project_id}
        return await self._store.query(
            TENANTS.name, organization_id, Thread.kind, equals=equals, descending=True, limit=limit, cursor=cursor
        )

    async def update(
        self, organization_id: str, thread_id: str, changes: dict[str, Any], if_match: str | None
    ) -> tuple[Thread, str]:
        """Raises `NotFoundError`, `PreconditionFailedError`; `ConflictError` where its project can only be read,
        `ValidationError` as `create`.
        """
        thread, etag = await self.get_item(organization_id, thread_id)
        check_if_match(if_match, etag)
        await self._check_writable(thread)
        if changes.get("project_id") != thread.project_id:
            await check_project(self._store, organization_id, changes.get("project_id"))
        changed = thread.changed(**merged(thread, changes))
        try:
            return changed, await self._store.replace(TENANTS.name, organization_id, changed.document(), etag)
        except StaleEtagError as error:
            raise PreconditionFailedError("The thread is being changed by someone else; read it again") from error

    async def _check_writable(self, thread: Thread) -> None:
        """Raises `ConflictError`. What is left of a project that is gone can be put elsewhere."""
        if thread.project_id is None:
            return
        status = await status_of_project(self._store, thread.organization_id, thread.project_id)
        if status not in (None, "active"):
            raise ConflictError(f"The project of the thread is {status}, so the thread can only be read")
