"""The messages of the queue of accepted usage."""

import pytest

from shared import json
from shared.domain.kernel.errors import MalformedError
from shared.domain.usage.events import AcceptedEvent, event_key
from shared.ports.queue import MAXIMUM_MESSAGE_BYTES, Message
from shared.services.usage.messages import MessagePacker, read_message

ORGANIZATION, OTHER = "org_1", "org_2"


def event(name: str, text: str = "") -> AcceptedEvent:
    return AcceptedEvent(
        key=event_key(ORGANIZATION, "api", name),
        id=name,
        source="api",
        type="command",
        agent="agt_1",
        time="2026-10-05T00:00:00.000000Z",
        data={"text": text},
        content="c" * 32,
    )


def packed(*events: AcceptedEvent, attempt: int = 0) -> list[Message]:
    packer = MessagePacker()
    for each in events:
        packer.add(ORGANIZATION, 0, json.encode_verbatim(each), attempt=attempt)
    return list(packer.messages())


def test_events_are_read_as_they_were_packed() -> None:
    events = [event(f"{number}", "ü") for number in range(3)]
    (message,) = packed(*events)
    read = read_message(message.body)
    assert (read.organization_id, read.events, read.is_replay) == (ORGANIZATION, events, False)
    assert message.count == 3


def test_a_message_has_at_most_64_events() -> None:
    assert [message.count for message in packed(*(event(f"{number}") for number in range(130)))] == [64, 64, 2]


def test_a_message_is_no_larger_than_the_broker_takes() -> None:
    messages = packed(*(event(f"{number}", "x" * 20_000) for number in range(10)))
    assert sum(message.count for message in messages) == 10
    assert MAXIMUM_MESSAGE_BYTES / 2 < max(len(message.body) for message in messages) <= MAXIMUM_MESSAGE_BYTES


def test_organizations_and_shards_never_share_a_message() -> None:
    packer = MessagePacker()
    for organization, shard in ((ORGANIZATION, 0), (ORGANIZATION, 1), (OTHER, 0), (ORGANIZATION, 0)):
        packer.add(organization, shard, json.encode_verbatim(event("a")))
    sessions = {message.session_id: message.count for message in packer.messages()}
    assert sessions == {"org_1:0": 2, "org_1:1": 1, "org_2:0": 1}


def test_the_broker_can_tell_a_resend_from_a_repeat() -> None:
    """By the message id: equal for the same events, another one for each attempt."""
    first, repeat = packed(event("a"))[0], packed(event("a"))[0]
    resends = [packed(event("a"), attempt=attempt)[0] for attempt in (1, 2)]
    assert first.message_id == repeat.message_id
    assert len({message.message_id for message in (first, *resends)}) == 3
    assert all(read_message(message.body).is_replay for message in resends)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"organization":"org_1","events":[{}]}', b'{"events":[1e999]}'])
def test_what_nobody_packed_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        read_message(body)
