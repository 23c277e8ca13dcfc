"""Messages that release what waits in a trace, at its time, by the queue of usage."""

from datetime import datetime
from typing import NamedTuple

import msgspec

from shared import correlation
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.times import to_text
from shared.ports.queue import Message
from shared.services.ingestion.trace_records import slot_of

_BEGINNING = b'{"release":'


class Release(NamedTuple):
    organization_id: str
    trace: str


class _Body(msgspec.Struct):
    release: tuple[str, str]


def release_message(release: Release, wake: datetime) -> Message:
    """Delivered at `wake`; of several for one time, the broker keeps one.

    Traces of one slot are released one after the other: they are stored in one partition.
    """
    return Message(
        body=msgspec.json.encode(_Body(release)),
        session_id=f"{release.organization_id}:traces:{slot_of(release.trace)}",
        message_id=fingerprint(f"{release.organization_id} {release.trace} {to_text(wake)}")[:32],
        correlation_id=correlation.current(),
        count=0,
        not_before=wake,
    )


def read_release(body: bytes) -> Release | None:
    """None where the message is another one."""
    if not body.startswith(_BEGINNING):
        return None
    return Release(*msgspec.json.decode(body, type=_Body).release)
