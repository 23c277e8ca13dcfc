"""What the audit trail says of a change: declared with every kind of entity, beside its fields."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from shared.domain.kernel.ids import fingerprint

ActorType = Literal["user", "api_key", "service_account", "operator", "system"]


class Actor(msgspec.Struct, frozen=True):
    """Who makes a change, and from where."""

    type: ActorType
    id: str
    root_id: str | None = None
    """The first key of the line of a key."""
    session_id: str | None = None
    ip: str | None = None
    """Masked."""

    @property
    def is_person(self) -> bool:
        return self.type in ("user", "operator")


SYSTEM = Actor("system", "system")
"""Timers and queues."""
ANONYMOUS_ID = "anonymous"
"""The id of an actor who has shown no credential, as at a sign-up."""


@dataclass(frozen=True, slots=True)
class Target:
    """What was changed."""

    type: str
    id: str


Whose = Callable[[Any, str], str]
"""Whose a personal value is, of the entity and the value: the subject under whose key it is sealed."""
Verb = Callable[[Any, Any], str | None]
"""What a change is called, of the entity before and after it (None where there is none); None for no entry."""


def usual_verb(before: object, after: object) -> str:
    """Create, update or delete."""
    if before is None:
        return "create"
    return "update" if after is not None else "delete"


def called_at_creation(verb: str) -> Verb:
    """As `usual_verb`, but for the creation."""
    return lambda before, after: verb if before is None else usual_verb(before, after)


def verb_by_status(**verbs: str) -> Verb:
    """As `usual_verb`, but for a change to one of these statuses, which has a verb of its own."""

    def verb(before: Any, after: Any) -> str:  # noqa: ANN401  entities of one kind
        if before is not None and after is not None and before.status != after.status:
            return verbs.get(after.status, "update")
        return usual_verb(before, after)

    return verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """Changes of a kind of entity that go onto the trail."""

    area: str
    """The first part of the action, such as `agents` in `agents.create`."""
    verb: Verb = usual_verb
    target: Callable[[Any], Target] | None = None
    """None for the kind and the id of the entity."""
    secret: frozenset[str] = frozenset()
    """Fields of which the trail says only that they changed."""
    personal: Mapping[str, Whose] = field(default_factory=dict)
    """Fields about a person, by their path. Their values, or each of a list, are sealed under the person's key."""
    ignored: frozenset[str] = frozenset()
    """Fields whose change alone is no change of money, access or configuration."""
    trails: Callable[[Any], Sequence[str]] | None = None
    """The organizations whose trails tell of it. None for the organization whose partition it is in."""
    by_itself: Callable[[Any], str] | None = None
    """The id of the user who makes a change for which nobody had to show a credential."""
    shown: Callable[[Any], Any] | None = None
    """The entity that the trail describes in place of this one, with the fields that it declares itself."""


@dataclass(frozen=True, slots=True)
class NotAudited:
    """A kind of entity whose changes have no place on the trail."""

    reason: str


Audit = Audited | NotAudited

FOLLOWS = NotAudited("follows from something that is audited, or is no money, access or configuration")
BOOKKEEPING = NotAudited("keeps work going and decides nothing that anybody set")
OWN_TRAIL = NotAudited("usage has a trail of its own: events never change, and outcomes keep who decided them")


def by_value(_entity: object, value: str) -> str:
    """Of a value that names a person by itself, such as an e-mail address: whoever has that value."""
    return f"value:{fingerprint(value.strip().casefold())}"
