"""Names of organizations: slugs and external ids are one namespace, apart from the ids."""

import re
import unicodedata
from base64 import b32encode
from collections.abc import Iterable, Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any, ClassVar

from shared.domain.kernel.audit import FOLLOWS, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.ids import fingerprint

SLUG_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$"
_SLUG_LENGTH = 40
_RANDOM_CHARACTERS = 6
_RANDOM_TRIES = 20
_NUMBERED_SLUGS = 20
_ID = re.compile(r"org_[0-7][0-9a-hjkmnp-tv-z]{25}")

RESERVATION = timedelta(hours=1)
"""How long a name is kept for an organization that is being created."""

# fmt: off
RESERVED_WORDS = frozenset({
    "account", "accounts", "admin", "administrator", "all", "anonymous", "any", "api", "auth", "billing",
    "default", "everyone", "health", "internal", "mail", "me", "none", "null", "operator", "operators",
    "organization", "organizations", "owner", "public", "root", "security", "self", "status", "support", "system",
    "tenant", "undefined", "unknown", "www", "xyra",
})
# fmt: on
"""Words that stand for somebody else than a customer, in the API or to people. No organization can be named so."""


class OrganizationName(Entity):
    """Which organization has a name: its slug or its external id."""

    kind: ClassVar[str] = "organization_name"
    audit: ClassVar[Audit] = FOLLOWS

    id: str = "organization"
    name: str
    organization_id: str
    is_reserved: bool = False
    """Until its organization is created. Such a name finds nothing, and is free again after `RESERVATION`."""

    def document(self) -> dict[str, Any]:
        document = super().document()
        return document | {"ttl": int(RESERVATION.total_seconds())} if self.is_reserved else document


def name_partition(name: str) -> str:
    """The directory partition of a name."""
    return f"name:{fingerprint(name)}"


def slug_partition(slug: str) -> str:
    """Where the claim of a slug decides that its organization is created. Names of before are also found here."""
    return f"slug:{slug}"


def earlier_external_id_partition(external_id: str) -> str:
    """Where an external id was claimed before names were one namespace."""
    return f"external:{fingerprint(external_id)}"


def is_slug(text: str) -> bool:
    return re.fullmatch(SLUG_PATTERN, text) is not None


def is_reserved_word(name: str) -> bool:
    """Upper and lower case are the same."""
    return name.lower() in RESERVED_WORDS


def has_form_of_id(name: str) -> bool:
    """Whether it could be the id of an organization. Ids of other systems that begin with `org_` differ in length."""
    return _ID.fullmatch(name) is not None


def slugs_from(name: str, organization_id: str) -> Iterator[str]:
    """Slugs to try for an organization that the operator creates, the plain one first."""
    plain = _slug_from(name)
    if not is_reserved_word(plain):
        yield plain
    yield from (f"{plain[:37]}-{number}" for number in range(2, _NUMBERED_SLUGS))
    yield from random_slugs_from(name, organization_id)


def random_slugs_from(name: str, organization_id: str) -> Iterator[str]:
    """Slugs to try for an organization whose name a stranger chose: each ends in six random characters.

    The randomness is the id's, so a repeated sign-up tries the same ones.
    """
    plain = _slug_from(name)[: _SLUG_LENGTH - _RANDOM_CHARACTERS - 1].strip("-")
    for attempt in range(_RANDOM_TRIES):
        digest = sha256(f"{organization_id}:{attempt}".encode()).digest()
        yield f"{plain}-{b32encode(digest).decode().lower()[:_RANDOM_CHARACTERS]}"


def _slug_from(name: str) -> str:
    """A valid slug that resembles a name."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:_SLUG_LENGTH].strip("-") or "organization"


def slugs_to_try(slug: str | None, name: str, organization_id: str, *, is_signing_up: bool) -> Iterable[str]:
    """The slug that was asked for, else some made from the name: for a stranger's ones that nobody can guess."""
    if slug is not None:
        return [slug]
    return random_slugs_from(name, organization_id) if is_signing_up else slugs_from(name, organization_id)
