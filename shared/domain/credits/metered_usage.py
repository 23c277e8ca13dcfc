"""Usage that is metered, as caps count it: cumulative sums by window, with a revision.

What one event is worth is what it adds to its line at the quantity that its shard knows. That is an estimate, which
caps count and nobody bills. A shard keeps the sums of each context; the wallet takes the newest, and adds what differs.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import msgspec

from shared.domain.credits.amounts import PLACES
from shared.domain.credits.counters import KEPT, Context, CountedWindow
from shared.domain.credits.windows import Window, instant_of, seconds_of
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.money import EXACT, ZERO, plain, round_to


class WindowSum(msgspec.Struct, frozen=True, array_like=True):
    """What usage in one window comes to."""

    end: int
    """Of the window, in seconds since 1970; 0 for the window that never ends."""
    money: dict[str, Decimal]
    """By what a credit was worth when it was used."""

    @property
    def total(self) -> Decimal:
        return sum(self.money.values(), ZERO)

    @property
    def credits(self) -> Decimal:
        """In credits, rounded half up to six places once for each worth."""
        parts = (round_to(Fraction(money) / Fraction(value), PLACES) for value, money in self.money.items())
        return sum(parts, ZERO)

    def is_over(self, now: datetime) -> bool:
        return bool(self.end) and instant_of(self.end) + KEPT < now


class MeteredSums(msgspec.Struct, frozen=True):
    """Of one context in one shard."""

    context: Context
    revision: int = 0
    windows: dict[str, WindowSum] = {}
    """By the key of the window."""

    def plus(self, amount: Decimal, credit_value: Decimal, windows: Iterable[Window], now: datetime) -> "MeteredSums":
        """With what was used in these windows, and without windows that are over."""
        value = plain(credit_value)
        kept = {key: counted for key, counted in self.windows.items() if not counted.is_over(now)}
        for window in windows:
            end = 0 if window.end is None else seconds_of(window.end)
            before = kept.get(window.key) or WindowSum(end, {})
            if not before.is_over(now):
                money = {**before.money, value: EXACT.add(before.money.get(value, ZERO), amount)}
                kept[window.key] = WindowSum(end, money)
        return msgspec.structs.replace(self, windows=kept)

    def next_revision(self) -> "MeteredSums":
        return msgspec.structs.replace(self, revision=self.revision + 1)


class CountedUsage(msgspec.Struct, frozen=True):
    """The newest sums of a context in a shard that a wallet has taken."""

    id: str
    revision: int
    windows: dict[str, CountedWindow]
    of_run: bool = False
    """Whether the context has a run: it is forgotten as the run's counter and sums are."""


def newest_of(counted: Iterable[CountedUsage | None]) -> CountedUsage | None:
    """What several wallets have taken of the same sums, one after the other: the highest revision has all of it."""
    return max((each for each in counted if each is not None), key=lambda each: each.revision, default=None)


def sums_id(context: Context) -> str:
    """Of a context's sums in its shard."""
    return f"m:{fingerprint(msgspec.json.encode(context, order='sorted'))[:32]}"


def counted_id(shard: str, context: Context) -> str:
    """Of what a wallet has counted of them; `shard` is the name of the shard's partition."""
    return f"m:{fingerprint(shard)[:16]}:{sums_id(context).removeprefix('m:')}"
