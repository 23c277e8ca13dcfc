"""The audit trail: who changed what, when and from where. It is read, and by no route changed."""

from datetime import datetime
from typing import Annotated, Any, Self

import azure.functions as func
from pydantic import Field, StringConstraints

from functions.fields import ClientId, Listed
from shared.domain.access.identity import Permission
from shared.domain.kernel.audit import ActorType
from shared.domain.kernel.validation_messages import Expected
from shared.http import Call, ListQuery, NoBody, Reply, Schema, ZonedTime, endpoint
from shared.services.access.audit import AuditQuery, ReadEntry

blueprint = func.Blueprint()

Action = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z_]{1,64}\.[a-z_]{1,64}$"),
    Expected("an action such as billing_models.create"),
]


class AuditListQuery(ListQuery):
    start: ZonedTime | None = Field(default=None, alias="from")
    """Only changes from this time on."""
    end: ZonedTime | None = Field(default=None, alias="to")
    """Only changes before this time."""
    actor: ClientId | None = None
    """Only what the user or key with this id did; `system` for timers and queues."""
    action: Action | None = None
    """Only this action, such as `billing_models.create`."""
    target: ClientId | None = None
    """Only changes of the thing with this id."""


class ActorAnswer(Schema):
    type: ActorType
    """`system` for timers and queues, and for strangers who have shown no credential."""
    id: str
    """Of the user or the key."""
    root_id: str | None
    """Of a key: the first key of the line that it descends from."""
    session_id: str | None
    """Of a person: the session."""


class TargetAnswer(Schema):
    type: str
    """The kind of thing, such as `department`."""
    id: str
    """Its id; of a person the user's."""


class AuditEntryAnswer(Schema):
    id: str
    at: datetime
    """When it was changed."""
    actor: ActorAnswer
    """Who changed it."""
    action: str
    """What was done: `{area}.{verb}`."""
    target: TargetAnswer
    """What was changed."""
    before: dict[str, Any] | None
    """The fields that changed, as they were; null for what was made then. Never a secret."""
    after: dict[str, Any] | None
    """The fields that changed, as they became; null for what was deleted. Never a secret."""
    ip: str | None
    """The network that the change came from."""
    correlation_id: str | None
    """Of the request: its `X-Correlation-Id`."""
    number: int
    """The place of the entry in its trail, from 1 on without a gap."""
    hash: str
    """Over the entry and all entries before it, by a key that only the operator has."""

    @classmethod
    def of(cls, read: ReadEntry) -> Self:
        entry = read.entry
        return cls(
            id=entry.id,
            at=entry.at,
            actor=ActorAnswer(
                type=entry.actor_type, id=entry.actor_id, root_id=entry.root_id, session_id=entry.session_id
            ),
            action=entry.action,
            target=TargetAnswer(type=entry.target_type, id=entry.target_id),
            before=None if read.before is None else dict(read.before),
            after=None if read.after is None else dict(read.after),
            ip=read.ip,
            correlation_id=entry.correlation_id,
            number=entry.number,
            hash=entry.hash,
        )


@endpoint(
    blueprint,
    "GET",
    "audit",
    summary="The audit trail of an organization, newest first; of the operator's own things without one",
    access=Permission.AUDIT_READ,
    query=AuditListQuery,
    answers={200: Listed[AuditEntryAnswer]},
)
async def list_audit_entries(call: Call[NoBody, AuditListQuery]) -> Reply:
    query = call.query
    wanted = AuditQuery(query.start, query.end, query.actor, query.action, query.target)
    owner = await call.organization_id_or_operator()
    entries, cursor = await call.services.audit.page(owner, wanted, query.limit, query.cursor)
    return Reply({"data": [AuditEntryAnswer.of(each) for each in entries], "next_cursor": cursor})
