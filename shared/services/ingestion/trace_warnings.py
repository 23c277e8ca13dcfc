"""Warnings to the people who send traces, by what they should look at."""

import logging
from collections.abc import Mapping

from shared.domain.ingestion.calls import TraceWarning

_log = logging.getLogger(__name__)


class TraceWarnings:
    async def note(self, organization_id: str, warnings: Mapping[TraceWarning, int]) -> None:
        """Add to how often each was given: its code, the library and the service, with the count of this request."""
        for warning, count in warnings.items():
            _log.info(
                "traces are warned of",
                extra={
                    "organization_id": organization_id,
                    "warning": warning.code,
                    "library": warning.library,
                    "service": warning.service,
                    "count": count,
                },
            )
