"""Which answers of providers were counted, so that a sum and its calls find each other across traces and requests.

A sum has the id of its last call's answer. Where both lie in one trace, its memory has all that is needed. Libraries
that share no context begin a trace each: a call without an agent around it, and a sum without calls, are noted here.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from cachetools import TTLCache

from shared.containers import INBOX
from shared.domain.ingestion.calls import CountedSum, LlmCall
from shared.domain.ingestion.models import same_provider
from shared.domain.kernel.audit import OWN_TRAIL, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.ids import fingerprint
from shared.ports.clock import Clock
from shared.services.ingestion.trace_records import KEPT
from shared.services.storage import Records, Store
from shared.turns import Turns

_SLOTS = 4
"""Partitions of an organization for the calls that are noted."""
_PUT_AT_ONCE = 25
"""Calls that are noted in one batch."""
_CACHED = timedelta(seconds=10)
_MAXIMUM_CACHED = 1_000
_MAXIMUM_SUMS = 1_000
"""Of an organization that are looked at: calls of further ones count beside them."""


class _Answered(Entity):
    """A call or sum that was counted under the id of an answer."""

    provider: str | None
    trace: str

    def document(self) -> dict[str, Any]:
        return {**super().document(), "ttl": int(KEPT.total_seconds())}


class AnsweredCall(_Answered):
    """The id is a fingerprint of the provider's."""

    kind: ClassVar[str] = "answered_call"
    audit: ClassVar[Audit] = OWN_TRAIL


class AnsweredSum(_Answered):
    """A sum that counted as one call."""

    kind: ClassVar[str] = "answered_sum"
    audit: ClassVar[Audit] = OWN_TRAIL
    response: str
    input: int
    output: int


class Answers:
    def __init__(self, store: Store, clock: Clock, turns: Turns) -> None:
        self._turns = turns
        self._calls = Records(store, INBOX, AnsweredCall)
        self._sums = Records(store, INBOX, AnsweredSum)
        self._cached = TTLCache[str, dict[str, CountedSum], datetime](_MAXIMUM_CACHED, _CACHED, timer=clock.now)

    async def note(self, organization_id: str, calls: Iterable[LlmCall]) -> None:
        """Keep what calls and sums in other traces may have to know. Noting it again changes nothing."""
        partitions: dict[str, list[AnsweredCall]] = {}
        sums: list[AnsweredSum] = []
        for call in calls:
            if call.response is None or not call.is_counted:
                continue
            answer_id = _id_of(call.response)
            if call.is_sum:
                sums.append(_answered_sum(answer_id, call.response, call))
            else:
                noted = AnsweredCall(id=answer_id, provider=call.data.get("provider"), trace=call.trace_id)
                partitions.setdefault(_partition(organization_id, answer_id), []).append(noted)
        await asyncio.gather(*(self._put(partition, noted) for partition, noted in partitions.items()))
        if sums:
            await self._sums.put(_partition_of_sums(organization_id), *sums)
            self._cached.pop(organization_id, None)

    async def _put(self, partition: str, noted: Sequence[AnsweredCall]) -> None:
        for start in range(0, len(noted), _PUT_AT_ONCE):
            if len(noted) > _PUT_AT_ONCE:
                await self._turns.one()
            await self._calls.put(partition, *noted[start : start + _PUT_AT_ONCE])

    async def of_calls(self, organization_id: str, sums: Iterable[LlmCall]) -> frozenset[str]:
        """The ids among those of sums under which a call of another trace counted."""
        known: set[str] = set()
        for call in sums:
            if call.response is not None:
                answer_id = _id_of(call.response)
                found = await self._calls.find(_partition(organization_id, answer_id), answer_id)
                if found is not None and same_provider(found.entity.provider, call.data.get("provider")):
                    known.add(call.response)
        return frozenset(known)

    async def sums(self, organization_id: str) -> Mapping[str, CountedSum]:
        """Sums that counted within a day, by the id of the answer; read every 10 s."""
        known = self._cached.get(organization_id)
        if known is None:
            known = {}
            async for stored in self._sums.all(_partition_of_sums(organization_id)):
                noted = stored.entity
                known[noted.response] = CountedSum(noted.trace, noted.provider, noted.input, noted.output)
                if len(known) == _MAXIMUM_SUMS:
                    break
            self._cached[organization_id] = known
        return known


def _answered_sum(answer_id: str, response: str, call: LlmCall) -> AnsweredSum:
    return AnsweredSum(
        id=answer_id,
        provider=call.data.get("provider"),
        trace=call.trace_id,
        response=response,
        input=call.data["input_tokens"],
        output=call.data["output_tokens"],
    )


def _id_of(response: str) -> str:
    return fingerprint(response)[:32]


def _partition(organization_id: str, answer_id: str) -> str:
    return f"{organization_id}:answers:{int(answer_id[:2], 16) % _SLOTS}"


def _partition_of_sums(organization_id: str) -> str:
    return f"{organization_id}:sums"
