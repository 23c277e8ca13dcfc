"""Threads: created and changed."""

from typing import Any

from pydantic import BaseModel

from shared.containers import TENANTS
from shared.domain.kernel.errors import ConflictError, NotFoundError, ValidationError
from shared.domain.runs.threads import Thread
from shared.ports.clock import Clock
from shared.services.storage import Owners, Page, Records, Store, Stored
from shared.services.storage.caller_json import merged
from shared.services.tenancy.allocation_targets import AllocationTargets


class ThreadDraft(BaseModel):
    """What is to be created."""

    project_id: str | None = None
    title: str | None = None
    metadata: str = "{}"


class Threads:
    def __init__(self, store: Store, clock: Clock, owners: Owners) -> None:
        self._clock = clock
        self._allocation_targets = AllocationTargets(store)
        self._threads = Records(store, TENANTS, Thread, prefix="thr", owners=owners)

    async def create(self, thread_id: str, organization_id: str, draft: ThreadDraft) -> Stored[Thread]:
        """The thread; repeating it with the same id gives what was created.

        Raises `ValidationError` for a project that is not there or not active.
        """
        await self._allocation_targets.check_project(organization_id, draft.project_id)
        thread = Thread(
            id=thread_id, organization_id=organization_id, created_at=self._clock.now(), **draft.model_dump()
        )
        return await self._threads.create(organization_id, thread)

    async def get(self, organization_id: str, thread_id: str) -> Stored[Thread]:
        """Raises `NotFoundError`."""
        return await self._threads.get(organization_id, thread_id)

    async def named(self, organization_id: str, thread_id: str, pointer: str) -> Thread:
        """The same where a request names it. Raises `ValidationError` at `pointer`."""
        try:
            return (await self.get(organization_id, thread_id)).entity
        except NotFoundError:
            raise ValidationError.at(pointer, "there is no such thread") from None

    async def page(self, organization_id: str, project_id: str | None, limit: int, cursor: str | None) -> Page[Thread]:
        """Newest first. Raises `ValidationError` for a project that is not known and has no thread."""
        equals = {} if project_id is None else {"project_id": project_id}
        page = await self._threads.page(organization_id, equals=equals, descending=True, limit=limit, cursor=cursor)
        if not page.stored:
            await self._allocation_targets.check_known_project(organization_id, project_id, "?project_id")
        return page

    async def update(
        self, organization_id: str, thread_id: str, changes: dict[str, Any], if_match: str | None
    ) -> Stored[Thread]:
        """Apply changed fields.

        Raises `NotFoundError`, `PreconditionFailedError`, `ConflictError` where its project is read-only,
        `ValidationError` as `create`.
        """

        async def decide(thread: Thread) -> Thread:
            await self._check_writable(thread)
            if changes.get("project_id") != thread.project_id:
                await self._allocation_targets.check_project(organization_id, changes.get("project_id"))
            return thread.changed(**merged(thread, changes))

        return await self._threads.change(organization_id, thread_id, decide, if_match)

    async def _check_writable(self, thread: Thread) -> None:
        """Raises `ConflictError` where its project is read-only. Where that is gone, the thread can be changed."""
        if thread.project_id is None:
            return
        status = await self._allocation_targets.status_of_project(thread.organization_id, thread.project_id)
        if status not in (None, "active"):
            raise ConflictError(f"The project of the thread is {status}, so the thread can only be read")
