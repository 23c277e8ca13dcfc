"""Counts metered usage in the counters of its context."""

from datetime import datetime
from decimal import localcontext

from shared.domain.credits.counters import CountedWindow, with_missing
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.credits.metered_usage import CountedUsage, MeteredSums, counted_id
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.money import EXACT


def count_usage(wallet: Wallet, shard: str, sums: MeteredSums, now: datetime) -> bool:
    """Bring the counters of a context to its newest sums. False for sums that are not newer than what was counted."""
    id_ = counted_id(shard, sums.context)
    before = wallet.counted_usage.get(id_)
    if before is not None and before.revision >= sums.revision:
        return False
    counted = {} if before is None else before.windows
    with localcontext(EXACT):
        after = {
            key: CountedWindow(window.end, window.credits, window.total)
            for key, window in sums.windows.items()
            if not window.is_over(now)
        }
        more = _differences(counted, after)
        if more:
            for counter_id, counter in with_missing(wallet.counters, sums.context).items():
                wallet.counters[counter_id] = counter.with_metered(DEFAULT_KIND, more, now)
    wallet.counted_usage[id_] = CountedUsage(id_, sums.revision, after, of_run=sums.context.run is not None)
    return True


def _differences(before: dict[str, CountedWindow], after: dict[str, CountedWindow]) -> dict[str, CountedWindow]:
    """What the counters do not have yet."""
    differences = {}
    for key, window in after.items():
        old = before.get(key) or CountedWindow(window.end)
        more = CountedWindow(window.end, window.credits - old.credits, window.money - old.money)
        if more.credits or more.money:
            differences[key] = more
    return differences
