"""What senders are told of events that are accepted."""

from collections import Counter
from collections.abc import Collection
from typing import Any

from shared.domain.provider_costs.findings import Finding
from shared.http import Schema

PER_CODE = 20
"""Warnings with the same code that an answer names one by one."""
_MAXIMUM_DETAIL = 200


class EventWarning(Schema):
    index: int
    """The place of the event in the request, from 0."""
    code: str
    """`unpriced`, `no_count`, `unknown_count`, `total_mismatch`, `standard_price`, `no_billing_model`, `no_charge`."""
    detail: str
    """What is missing, or did not count."""


class WithWarnings(Schema):
    warnings: list[EventWarning]
    """What the sender should look at; the events count all the same. At most 20 of each code."""
    warnings_left_out: int
    """How many more there are."""


def event_warnings(findings: Collection[tuple[int, Finding]]) -> dict[str, Any]:
    """The fields of `WithWarnings`."""
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
