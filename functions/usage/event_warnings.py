"""What senders are told of events that are accepted."""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

from shared.domain.kernel.money import plain
from shared.domain.provider_costs.findings import Finding
from shared.http import Call, Schema

PER_CODE = 20
"""Warnings with the same code that an answer names one by one."""
_MAXIMUM_DETAIL = 200


class EventWarning(Schema):
    index: int
    """The place of the event in the request, from 0."""
    code: str
    """`unpriced`, `no_count`, `unknown_count`, `total_mismatch`, `standard_price`, `no_billing_model`, `no_charge`; or
    `limit_exceeded`, at the first event: the plan includes fewer events than there are in the billing period.
    """
    detail: str
    """What is missing, or did not count."""


class WithWarnings(Schema):
    warnings: list[EventWarning]
    """What the sender should look at; the events count all the same. At most 20 of each code."""
    warnings_left_out: int
    """How many more there are."""


async def event_warnings(
    call: Call[Any, Any, Any], organization_ids: Iterable[str], findings: Collection[tuple[int, Finding]]
) -> dict[str, Any]:
    """The fields of `WithWarnings`, with the soft limits that the organizations of the events have passed."""
    passed = [
        limit
        for organization_id in organization_ids
        if (limit := await call.services.entitlements.passed_by_events(organization_id)) is not None
    ]
    warnings = _of_findings(findings)
    for limit in passed:
        detail = f"The plan includes {plain(limit.limit)} events in a billing period, and there are {limit.used}"
        warnings["warnings"].append({"index": 0, "code": "limit_exceeded", "detail": detail})
    return warnings


def _of_findings(findings: Collection[tuple[int, Finding]]) -> dict[str, Any]:
    if not findings:  # as of most requests
        return {"warnings": [], "warnings_left_out": 0}
    of_code = Counter[str]()
    shown, left_out = [], 0
    for index, finding in sorted(findings, key=lambda found: found[0]):
        of_code[finding.code] += 1
        if of_code[finding.code] > PER_CODE:
            left_out += 1
        else:
            shown.append({"index": index, "code": finding.code, "detail": finding.detail[:_MAXIMUM_DETAIL]})
    return {"warnings": shown, "warnings_left_out": left_out}
