"""Ids: a type prefix and 128 bits, as TypeIDs (https://github.com/jetify-com/typeid)."""

import hashlib
import re
from datetime import datetime

import msgspec
from typeid import base32
from uuid_utils import uuid7

_name = msgspec.json.Encoder()


def new_id(prefix: str) -> str:
    """A new id, from a UUIDv7: ids with one prefix sort by creation time."""
    return f"{prefix}_{base32.encode(uuid7().bytes)}"


def named_id(prefix: str, *name: str | int) -> str:
    """The deterministic id of a name: whoever makes it gets the same one.

    It is the first 128 bits of the SHA-256 of the JSON array of prefix and name.
    """
    digest = hashlib.sha256(_name.encode((prefix, *name))).digest()
    return f"{prefix}_{base32.encode(digest[:16])}"


def timed_id(prefix: str, time: datetime, *name: str | int) -> str:
    """The deterministic id of a name and a time: ids with one prefix sort by their times, to the millisecond."""
    digest = hashlib.sha256(_name.encode((prefix, *name))).digest()
    milliseconds = int(time.timestamp() * 1000).to_bytes(6, "big")
    return f"{prefix}_{base32.encode(milliseconds + digest[:10])}"


def id_pattern(prefix: str) -> str:
    """The regular expression of ids with this prefix."""
    return rf"{prefix}_[0-9a-z]{{1,40}}"


def is_id(text: str, prefix: str) -> bool:
    """Whether a text has the form of an id with this prefix."""
    return re.fullmatch(id_pattern(prefix), text) is not None


def fingerprint(text: str | bytes) -> str:
    """SHA-256 in hex, to compare or find something without storing it."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()
