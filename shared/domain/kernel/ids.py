"""Ids: a type prefix and 128 bits, as TypeIDs (https://github.com/jetify-com/typeid)."""

import hashlib
import re

import msgspec
from typeid import TypeID
from uuid_utils import UUID

_name = msgspec.json.Encoder()


def new_id(prefix: str) -> str:
    """A fresh id; made from a UUIDv7, so ids of one prefix sort by the time they were made."""
    return str(TypeID(prefix=prefix))


def named_id(prefix: str, *name: str | int) -> str:
    """The id that this name always has: the first 128 bits of the SHA-256 of the name as a JSON array, prefix
    included.
    """
    digest = hashlib.sha256(_name.encode((prefix, *name))).digest()
    return str(TypeID.from_uuid(UUID(bytes=digest[:16]), prefix=prefix))


def id_pattern(prefix: str) -> str:
    """The regular expression of what could be one of our ids of this kind."""
    return rf"{prefix}_[0-9a-z]{{1,40}}"


def is_id(text: str, prefix: str) -> bool:
    """Whether it could be one of our ids of this kind, and so may be looked up by its text."""
    return re.fullmatch(id_pattern(prefix), text) is not None


def fingerprint(text: str | bytes) -> str:
    """SHA-256 in hex, for what must be compared or found but not read."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()
