"""Entries of the audit trail, made of the operations of a batch."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from shared import correlation, json
from shared.containers import DIRECTORY, INVOICES, TENANTS
from shared.domain.kernel.audit import ANONYMOUS_ID, Actor, Audited, Target
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.ids import fingerprint, named_id
from shared.domain.kernel.times import to_text
from shared.ports.clock import Clock
from shared.ports.store import Delete, Operation
from shared.services.storage.audit.acting import current_actor
from shared.services.storage.audit.differences import Fields, difference
from shared.services.storage.audit.entries import PREFIX, AuditEntry, Sealed, Side, fields_text, holder_of, sealed_name
from shared.services.storage.audit.keys import AuditKeys
from shared.services.storage.audit.personal import ERASED, PersonalKeys
from shared.services.storage.operations import EntityCreate, EntityDelete, EntityReplace, EntityUpsert, Note
from shared.services.storage.owners import OPERATOR

_IN_THEIR_PARTITION = (TENANTS.name, INVOICES.name)
"""Containers whose partitions are organizations."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one operation of a batch says on the trails."""

    action: str
    target: Target
    trails: Sequence[str]
    version: str
    """Tells this change from another one of the same target at the same time."""
    before: Fields | None = None
    after: Fields | None = None
    personal: Mapping[str, Any] | None = None
    """By field, whose its value is, of the value."""
    by_itself: str | None = None
    is_deferred: bool = False
    """Whether it is left to the sweep to bring it to its trails."""


def changes_in(container: str, partition: str, operations: Sequence[Operation]) -> Iterator[Change]:
    """What a batch changes of money, access and configuration. Raises `TypeError` for an unguarded write of it."""
    for operation in operations:
        match operation:
            case Note():
                yield Change(
                    operation.action,
                    operation.target,
                    operation.trails,
                    version=json.encode_canonical(operation.details).decode(),
                    after=operation.details,
                    by_itself=operation.actor_id,
                    is_deferred=operation.is_deferred,
                )
            case EntityCreate(document, after=entity) if isinstance(entity.audit, Audited):
                # Its content: what was deleted may be made again under the same id.
                yield from _change_of(container, partition, None, entity, fingerprint(json.encode(document)))
            case EntityReplace(before=before, after=entity, etag=etag):
                yield from _change_of(container, partition, before, entity, etag)
            case EntityDelete(before=before, etag=etag):
                yield from _change_of(container, partition, before, None, etag or "")
            case EntityUpsert(after=entity):
                if next(_change_of(container, partition, None, entity, ""), None) is not None:
                    raise TypeError(f"{entity.kind} is audited: write it under its ETag, so that the trail knows both")
            case _:
                pass


def _change_of(
    container: str, partition: str, before: Entity | None, after: Entity | None, version: str
) -> Iterator[Change]:
    entity = after or before
    rule = entity.audit if entity is not None else None
    if entity is None or not isinstance(rule, Audited):
        return
    if rule.shown is not None:
        before, after = (None if each is None else rule.shown(each) for each in (before, after))
        entity = after or before
        if entity is None or not isinstance(entity.audit, Audited):
            return
        rule = replace(entity.audit, area=rule.area, verb=rule.verb, trails=rule.trails)
    verb = rule.verb(before, after)
    differs = difference(rule, before, after) if verb is not None else None
    if differs is None:
        return
    yield Change(
        action=f"{rule.area}.{verb}",
        target=rule.target(entity) if rule.target is not None else Target(entity.kind, entity.id),
        trails=_trails_of(rule, entity, container, partition),
        version=version,
        before=differs.before,
        after=differs.after,
        personal={field: _Whose(entity, field, rule) for field in rule.personal},
        by_itself=None if rule.by_itself is None else rule.by_itself(entity),
    )


@dataclass(frozen=True, slots=True)
class _Whose:
    """Says whose a value of a field is."""

    entity: Entity
    field: str
    rule: Audited

    def __call__(self, value: str) -> str:
        return self.rule.personal[self.field](self.entity, value)


def _trails_of(rule: Audited, entity: Entity, container: str, partition: str) -> Sequence[str]:
    if rule.trails is not None:
        return tuple(dict.fromkeys(rule.trails(entity))) or (OPERATOR,)
    if container == DIRECTORY.name:
        raise TypeError(f"{entity.kind} is in the directory: declare whose trails tell of it")
    return (partition,) if container in _IN_THEIR_PARTITION else (OPERATOR,)


class EntryWriter:
    """Makes finished entries: with who acts now, personal values sealed, and the keyed hash."""

    def __init__(self, clock: Clock, keys: AuditKeys, personal: PersonalKeys) -> None:
        self._clock = clock
        self._keys = keys
        self._personal = personal

    async def entries(self, changes: Sequence[Change]) -> list[AuditEntry]:
        """One for each trail of a change. Raises `UnavailableError`: what cannot be told of does not take place."""
        entries: list[AuditEntry] = []
        for change in changes:
            content = await self._content(change)
            entries += [await self._finished(trail, change, content) for trail in change.trails]
        return entries

    async def _content(self, change: Change) -> Fields:
        """The fields that an entry has on every trail."""
        actor = _actor_of(change)
        sealed: dict[str, Sealed | tuple[Sealed, ...]] = {}
        before = await self._sealed(change, "before", change.before, sealed)
        after = await self._sealed(change, "after", change.after, sealed)
        ip: str | Sealed | None = actor.ip
        if actor.is_person and actor.ip is not None:
            ip = await self._personal.seal(actor.id, actor.ip)
        return {
            "at": self._clock.now(),
            "actor_type": actor.type,
            "actor_id": actor.id,
            "root_id": actor.root_id,
            "session_id": actor.session_id,
            "ip": ip,
            "action": change.action,
            "target_type": change.target.type,
            "target_id": change.target.id,
            "before": fields_text(before),
            "after": fields_text(after),
            "sealed": sealed,
            "correlation_id": correlation.current() or None,
        }

    async def _sealed(
        self, change: Change, side: Side, fields: Fields | None, sealed: dict[str, Sealed | tuple[Sealed, ...]]
    ) -> Fields | None:
        """The fields without the personal values, which are added to `sealed`."""
        if fields is None or not change.personal:
            return fields
        kept = deepcopy(fields)
        for path, whose in change.personal.items():
            holder, field = holder_of(kept, path)
            value = holder.get(field)
            if value is None or isinstance(value, dict):
                continue
            values = [str(each) for each in value] if isinstance(value, list) else [str(value)]
            texts = [await self._personal.seal(whose(each), each) for each in values]
            holder[field] = ERASED
            readable = tuple(text for text in texts if text is not None)
            if readable:
                sealed[sealed_name(side, path)] = readable if isinstance(value, list) else readable[0]
        return kept

    async def _finished(self, trail: str, change: Change, content: Fields) -> AuditEntry:
        key = await self._keys.active()
        at = to_text(content["at"])
        entry = AuditEntry(
            id=named_id(PREFIX, trail, change.action, change.target.id, change.version, at, correlation.current()),
            trail=trail,
            key_id=key.id,
            **content,
        )
        return entry.changed(mac=key.mac_of(entry))


def _actor_of(change: Change) -> Actor:
    """Who acts now; whoever it is about, where nobody had to show a credential."""
    actor = current_actor()
    if actor.id == ANONYMOUS_ID and change.by_itself is not None:
        return Actor("user", change.by_itself, ip=actor.ip)
    return actor


def is_of_trail(operation: Operation) -> bool:
    """Whether an operation would write or delete an entry or the head of a trail."""
    if isinstance(operation, Delete):
        return operation.id.startswith(f"{PREFIX}_") or operation.id == "audit_head"
    return operation.document.get("kind") in ("audit_entry", "audit_head")
