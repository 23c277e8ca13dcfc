"""Warnings to the people who send traces, by what they should look at."""

from collections.abc import Mapping

from shared.domain.ingestion.calls import SOURCE, TraceWarning
from shared.domain.metering.event_types import LLM_CALL
from shared.domain.usage.ingestion import REFUSED
from shared.services.usage.ingestion_counts import IngestionCounts

_SPAN = "span"
"""Why what a span says is not taken: it has the wrong time, or no usable id."""


class TraceWarnings:
    """Shown by `GET /ingestion`."""

    def __init__(self, counts: IngestionCounts) -> None:
        self._counts = counts

    def note(self, organization_id: str, warnings: Mapping[TraceWarning, int]) -> None:
        """Add to how often each was given: its code, the library and the service, with the count of this request."""
        for warning, count in warnings.items():
            self._counts.warn(
                organization_id, warning.code, library=warning.library, service=warning.service, count=count
            )

    def refuse(self, organization_id: str, reporter: str, spans: int) -> None:
        """Count spans that are not taken."""
        if spans:
            self._counts.count(organization_id, [(reporter, SOURCE, LLM_CALL)], REFUSED + _SPAN, spans)
