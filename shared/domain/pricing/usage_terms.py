"""Usage terms: which plan prices an organization's usage at a place, from some time on.

They follow the plan that fees are paid for, at least `MINIMUM_LEAD` ahead: metering remembers them for a minute, and
events may be five minutes ahead of the clock (docs/subscriptions.md, "Usage").
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from shared.domain.kernel.histories import MINIMUM_LEAD, Entry, History
from shared.domain.kernel.value import Value

_INSTANT = timedelta(microseconds=1)


class UsageTerms(Value):
    """The version of a billing model that prices usage; None for none, so that usage is unpriced."""

    charges_id: str | None = None
    is_free: bool = False
    """In a trial: what is used then counts in no tier, and costs nothing."""


def following_terms(
    before: History[UsageTerms] | None, fees: Sequence[Entry[UsageTerms]], now: datetime
) -> History[UsageTerms] | None:
    """The usage terms of a place after a command, from those before and those that its fees have now.

    Entries less than `MINIMUM_LEAD` ahead stay. Where one of them is still to come and the plan that is in force now
    stays after all, that takes over at the first instant after it.
    """
    lead = now + MINIMUM_LEAD
    fixed = [] if before is None else [entry for entry in before.entries if entry.effective_from < lead]
    wanted = _value_at(fees, lead)
    start = lead
    if fixed and fixed[-1].effective_from > now and wanted == _value_at(fixed, now):
        start = fixed[-1].effective_from + _INSTANT
    later = (entry for entry in fees if entry.effective_from > lead)
    entries = [*fixed]
    for entry in (Entry(effective_from=start, value=wanted), *later):
        if entry.value != (entries[-1].value if entries else UsageTerms()):
            entries.append(entry)
    return History[UsageTerms](entries=tuple(entries)) if entries else None


def _value_at(entries: Iterable[Entry[UsageTerms]], instant: datetime) -> UsageTerms:
    begun = [entry.value for entry in entries if entry.effective_from <= instant]
    return begun[-1] if begun else UsageTerms()
