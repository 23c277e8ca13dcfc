"""Reads the traces of a request, off the event loop and bounded in size and number."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.ingestion.accepting import rejection_of
from shared.domain.ingestion.calls import TraceWarning, instant_of
from shared.domain.ingestion.doubles import without_known_doubles
from shared.domain.ingestion.facts import SpanFacts, facts_of
from shared.domain.ingestion.spans import Span
from shared.domain.ingestion.taking import by_trace
from shared.domain.kernel.errors import LengthRequiredError, MalformedError
from shared.domain.kernel.pauses import pause_if_over
from shared.domain.tenancy.organizations import Organization
from shared.one_at_a_time import OneAtATime
from shared.ports.traces import MalformedTraces, TraceDecoder, TraceEncoding
from shared.settings import Settings
from shared.unpacking import PackedBody


@dataclass(frozen=True, slots=True)
class SentTraces:
    """The body of a request as it came."""

    encoding: TraceEncoding
    body: PackedBody

    def refuse_empty(self) -> None:
        """Raises `LengthRequiredError`: an export is never empty, so something was lost on the way."""
        if not self.body.raw:
            raise LengthRequiredError(
                "The body is empty. One that is sent in chunks does not arrive: send it with Content-Length "
                "(docs/send-usage.md)"
            )


@dataclass(frozen=True, slots=True)
class ReadTraces:
    """What a request says, without prompts, answers or anything else that is not needed."""

    traces: Mapping[str, Sequence[SpanFacts]]
    rejected: Sequence[str]
    """Why spans are not taken, one reason each."""
    warnings: Counter[TraceWarning]


class TraceReader:
    def __init__(self, decoder: TraceDecoder, settings: Settings) -> None:
        self._decoder = decoder
        self._thread = OneAtATime("traces")
        self._most_sent = settings.maximum_trace_bytes
        self._most_unpacked = settings.maximum_unpacked_trace_bytes

    async def read(self, sent: SentTraces, organization: Organization, now: datetime) -> ReadTraces:
        """The spans of a request that this organization may send now.

        Raises `LengthRequiredError` for an empty body, `TooLargeError`, `MalformedError`, and `UnavailableError` where
        too many requests wait to be read.
        """
        sent.refuse_empty()
        sent.body.refuse_beyond(self._most_sent)
        return await self._thread.run(lambda: self._read(sent, organization, now))

    def close(self) -> None:
        """Read nothing more."""
        self._thread.close()

    def _read(self, sent: SentTraces, organization: Organization, now: datetime) -> ReadTraces:
        body = sent.body.content(self._most_unpacked)
        try:
            decoded = self._decoder.decode(body, sent.encoding)
        except MalformedTraces as error:
            raise MalformedError(str(error)) from error
        late_window = timedelta(days=organization.late_window_days)
        rejected = list(decoded.rejected)
        taken = []
        for span in decoded.spans:
            pause_if_over()
            reason = rejection_of(span, now, late_window) or _beyond_the_end(span, organization)
            if reason is None:
                taken.append(facts_of(span))
            else:
                rejected.append(reason)
        request = without_known_doubles(taken)
        return ReadTraces(by_trace(request.facts), rejected, Counter(request.warnings))


def _beyond_the_end(span: Span, organization: Organization) -> str | None:
    if organization.ended_at is None or instant_of(span.end) < organization.ended_at:
        return None
    return f"span {span.span_id}: the organization had been deleted by then"
