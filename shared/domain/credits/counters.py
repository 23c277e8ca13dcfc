"""Counters: what was spent and is set aside in every window, whether or not a cap is on it.

A window is never reset: what is admitted counts in the windows of its admission for good, also when it is captured,
reported or refunded much later. So there is one counter for each thing that may be capped, with all its windows.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

import msgspec

from shared.domain.credits.windows import Window, instant_of, seconds_of
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.money import EXACT, ZERO

Unit = Literal["credits", "money"]
Scope = Literal["organization", "project", "department", "agent", "api_key", "run"]
SCOPES: tuple[Scope, ...] = ("organization", "project", "department", "agent", "api_key", "run")

KEPT = timedelta(days=8)
"""How long a window stays after its end, where nothing in it is set aside any more."""


class Context(msgspec.Struct, frozen=True, omit_defaults=True):
    """What credits are spent for. Where a part is missing, it counts in no cap of that scope."""

    organization_id: str
    project_id: str | None = None
    department_id: str | None = None
    agent_id: str | None = None
    api_key_id: str | None = None
    run: str | None = None
    """The run's key."""

    def references(self) -> tuple[tuple[Scope, str], ...]:
        """What it names, at most one thing of each scope."""
        named: tuple[tuple[Scope, str | None], ...] = (
            ("organization", self.organization_id),
            ("project", self.project_id),
            ("department", self.department_id),
            ("agent", self.agent_id),
            ("api_key", self.api_key_id),
            ("run", self.run),
        )
        return tuple((scope, reference) for scope, reference in named if reference is not None)

    def counter_ids(self) -> tuple[str, ...]:
        return tuple(counter_id(scope, self.organization_id, reference) for scope, reference in self.references())


class Spending(msgspec.Struct, frozen=True, array_like=True):
    """What one window counts of one kind of credits."""

    end: int
    """Of the window, in seconds since 1970; 0 for the window that never ends."""
    spent: Decimal = ZERO
    held: Decimal = ZERO
    unreported: Decimal = ZERO
    """Of leases that ended without a report."""
    metered: Decimal = ZERO
    """What usage comes to."""
    money_spent: Decimal = ZERO
    """Credits by what each was worth at its admission, unrounded; those without a worth are left out."""
    money_held: Decimal = ZERO
    money_unreported: Decimal = ZERO
    money_metered: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.spent + self.held + self.unreported + self.metered

    @property
    def money_total(self) -> Decimal:
        return self.money_spent + self.money_held + self.money_unreported + self.money_metered

    def merged(self, other: "Spending") -> "Spending":
        """With what another wallet counts of the same window."""
        here, there = (msgspec.structs.astuple(each)[1:] for each in (self, other))
        return Spending(self.end, *map(EXACT.add, here, there))

    def is_over(self, now: datetime) -> bool:
        """Whether nothing can count in it any more, so that it may go: what was not reported goes with it."""
        return bool(self.end) and instant_of(self.end) + KEPT < now and not self.held

    def plus(self, amounts: "Amounts", credit_value: Decimal | None) -> "Spending":
        """With more of each, also in money where a credit is worth something."""
        value = credit_value or ZERO
        return msgspec.structs.replace(
            self,
            spent=self.spent + amounts.spent,
            held=self.held + amounts.held,
            unreported=self.unreported + amounts.unreported,
            metered=self.metered + amounts.metered,
            money_spent=self.money_spent + amounts.spent * value,
            money_held=self.money_held + amounts.held * value,
            money_unreported=self.money_unreported + amounts.unreported * value,
            money_metered=self.money_metered + amounts.metered * value,
        )


class Amounts(msgspec.Struct, frozen=True):
    """What is added to a counter; below zero it is taken off."""

    spent: Decimal = ZERO
    held: Decimal = ZERO
    unreported: Decimal = ZERO
    metered: Decimal = ZERO


class CountedWindow(msgspec.Struct, frozen=True, array_like=True):
    """What usage comes to in one window, as a counter has it or is to have it."""

    end: int
    """As that of `Spending`."""
    credits: Decimal = ZERO
    money: Decimal = ZERO


class RunLimit(msgspec.Struct, frozen=True):
    """What one run may spend in all, set where the run is created."""

    run_id: str
    limit: Decimal
    unit: Unit
    set_at: datetime


Windows = dict[str, dict[str, Spending]]
"""Kind of credits -> key of a window -> what was spent in it."""


class Share(msgspec.Struct, frozen=True, array_like=True):
    """What a counter has counted in a wallet that its organization has left."""

    revision: int
    """Of that wallet; a share with a higher one takes its place."""
    windows: Windows


class Counter(msgspec.Struct, frozen=True):
    """All windows of one thing."""

    id: str
    scope: Scope
    organization_id: str
    reference: str
    windows: Windows
    """What has moved in this wallet."""
    limits: tuple[RunLimit, ...] = ()
    """Of a run: more than one only while requests that create it are on their way."""
    alerted: tuple[str, ...] = ()
    """What was crossed and is not armed again; each ends with the key of its window."""
    shares: dict[str, Share] = {}
    """By payer: what has moved in wallets that the organization has left. Never added to."""

    def spending(self, kind: str, window: Window) -> Spending:
        """In all wallets."""
        spending = self._spending_here(kind, window)
        for share in self.shares.values():
            theirs = share.windows.get(kind, {}).get(window.key)
            spending = spending if theirs is None else spending.merged(theirs)
        return spending

    def _spending_here(self, kind: str, window: Window) -> Spending:
        none = Spending(0 if window.end is None else seconds_of(window.end))
        return self.windows.get(kind, {}).get(window.key, none)

    def all_windows(self, kind: str) -> Mapping[str, Spending]:
        """What has counted in all wallets, by the keys of windows."""
        if not self.shares:
            return self.windows.get(kind, {})
        merged = dict(self.windows.get(kind, {}))
        for share in self.shares.values():
            for key, theirs in share.windows.get(kind, {}).items():
                merged[key] = theirs if key not in merged else merged[key].merged(theirs)
        return merged

    def holding_shares(self) -> list[str]:
        """The wallets that were left in which something is set aside."""
        return [
            payer
            for payer, share in self.shares.items()
            if any(spending.held for of_kind in share.windows.values() for spending in of_kind.values())
        ]

    def lacks_share(self, payer: str, left_at: int) -> bool:
        """Whether it lacks what a wallet has counted until the organization left it, at this revision."""
        share = self.shares.get(payer)
        return share is None or share.revision < left_at

    def with_share(self, payer: str, revision: int, theirs: "Counter | None", left_at: int = 0) -> "Counter":
        """With what another wallet has counted.

        Itself where it has a share that is as new. `theirs` is the counter there, None where it has none. The first
        share since the organization left that wallet, at its revision `left_at`, brings the limits of runs that were
        set there, and the alerts that were raised.
        """
        before = self.shares.get(payer)
        if before is not None and before.revision >= revision:
            return self
        share = Share(revision, {} if theirs is None else theirs.windows)
        shared = msgspec.structs.replace(self, shares={**self.shares, payer: share})
        if theirs is None or not self.lacks_share(payer, left_at):
            return shared
        own = {limit.run_id for limit in self.limits}
        brought = tuple(limit for limit in theirs.limits if limit.run_id not in own)
        alerted = tuple(sorted({*self.alerted, *theirs.alerted}))
        return msgspec.structs.replace(shared, limits=(*self.limits, *brought), alerted=alerted)

    def counted(
        self,
        kind: str,
        windows: Iterable[Window],
        now: datetime,
        amounts: Amounts,
        credit_value: Decimal | None = None,
    ) -> "Counter":
        """With more in these windows, and without those that are over."""
        all_kinds = self._kept(now)
        of_kind = all_kinds.setdefault(kind, {})
        for window in windows:
            before = of_kind.get(window.key)
            if before is None and window.end is not None and window.end + KEPT < now:
                continue  # it went long ago: nothing depends on it any more
            of_kind[window.key] = (before or self._spending_here(kind, window)).plus(amounts, credit_value)
        return msgspec.structs.replace(self, windows=all_kinds)

    def with_metered(self, kind: str, metered: Mapping[str, CountedWindow], now: datetime) -> "Counter":
        """With more usage, by the keys of windows, and without those that are over."""
        all_kinds = self._kept(now)
        of_kind = all_kinds.setdefault(kind, {})
        for key, more in metered.items():
            before = of_kind.get(key) or Spending(more.end)
            if key not in of_kind and before.is_over(now):
                continue
            spending = before.plus(Amounts(metered=more.credits), None)
            of_kind[key] = msgspec.structs.replace(spending, money_metered=spending.money_metered + more.money)
        return msgspec.structs.replace(self, windows=all_kinds)

    def _kept(self, now: datetime) -> Windows:
        """The windows that are not over, to be changed."""
        return {
            kind: {key: spending for key, spending in of_kind.items() if not spending.is_over(now)}
            for kind, of_kind in self.windows.items()
        }


def counter_id(scope: Scope, organization_id: str, reference: str) -> str:
    """References of callers may have any character and length, so the id has their hash."""
    return _counter_id(scope, organization_id, fingerprint(reference)[:32])


def run_counter_id(organization_id: str, digest: str) -> str:
    """Of the run whose key has this hash."""
    return _counter_id("run", organization_id, digest)


def _counter_id(scope: Scope, organization_id: str, digest: str) -> str:
    return f"c:{scope}:{organization_id}:{digest}"


def new_counter(scope: Scope, organization_id: str, reference: str) -> Counter:
    return Counter(counter_id(scope, organization_id, reference), scope, organization_id, reference, {})


def with_missing(counters: Mapping[str, Counter], context: Context) -> dict[str, Counter]:
    """The counters that a context counts in."""
    found = {}
    for scope, reference in context.references():
        id_ = counter_id(scope, context.organization_id, reference)
        found[id_] = counters.get(id_) or new_counter(scope, context.organization_id, reference)
    return found
