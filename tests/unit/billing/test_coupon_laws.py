"""Lives with subscriptions and coupons bill what an independent computation says that discounts leave.

`XYRA_COUPONED_ORGANIZATIONS` is how many organizations live without faults (3), and a third as many through a storm of
crashes, lost answers and lagging reads; `XYRA_COUPONED_DAYS` is for how long (75).
"""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shared.domain.billing import discounts
from shared.services.billing import bill
from shared.services.periods.redeemed_periods import RedeemedPeriods
from tests.doubles.fakes import virtual_time
from tests.doubles.fakes.faulty_store import QUIET, Faults
from tests.doubles.worlds.billing_world import STORM
from tests.doubles.worlds.couponed_organizations import Couponed
from tests.doubles.worlds.subscribed_organizations import seeded

ORGANIZATIONS = int(os.environ.get("XYRA_COUPONED_ORGANIZATIONS", "3"))
STORMS = max(1, ORGANIZATIONS // 3)
DAYS = int(os.environ.get("XYRA_COUPONED_DAYS", "75"))
MUTANT_LIVES = 6


async def lived(seed: int, faults: Faults) -> None:
    seeded(seed)
    world = Couponed(seed, faults)
    await world.set_up()
    await world.live(DAYS)
    billed, due = await world.billed(), world.due()
    assert billed == due, {key: (billed.get(key), due.get(key)) for key in sorted(billed.keys() | due.keys())}
    assert world.unbilled_after_interims == []
    for header, lines in await world.documents():
        off = -sum(line.amount for line in lines if line.discount is not None)
        assert off == sum(each.amount for each in getattr(header, "discounts", ())) or header.total < 0
        assert header.total == sum(line.amount for line in lines)
    issued = await world.issued_last()
    assert issued is None or world.previewed == issued


@pytest.mark.parametrize("seed", range(ORGANIZATIONS))
def test_all_documents_together_bill_what_discounts_leave(seed: int) -> None:
    virtual_time.run(lived(seed, QUIET))


@pytest.mark.parametrize("seed", range(STORMS))
def test_so_they_do_when_hosts_crash_answers_are_lost_and_reads_lag(seed: int) -> None:
    virtual_time.run(lived(1000 + seed, STORM))


def a_coupon_counts_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each document takes off what the coupon takes of the lines that it bills."""
    whole = bill._billed_period

    def by_document(rated: Any, invoiced_period: Any, when: Any, currency: Any, issued: Any = ()) -> Any:
        kept = [line for line in rated.billed if line.discount is None]
        before = [line for line in issued if line.discount is None]
        made = whole(replace(rated, discounts=(), billed=kept), invoiced_period, when, currency, before)
        return replace(made, lines=[*made.lines, *discounts.discount_lines(made.lines, rated.discounts, currency)])

    monkeypatch.setattr(bill, "_billed_period", by_document)


def a_redemption_is_written_beside_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Periods that exist are neither guarded nor billed again."""

    async def none(*_: Any) -> Any:
        return []

    monkeypatch.setattr(RedeemedPeriods, "_created", none)


@pytest.mark.parametrize(
    "mutant",
    [
        a_coupon_counts_documents,
        a_redemption_is_written_beside_the_guard,
    ],
    ids=lambda mutant: mutant.__name__,
)
def test_a_naive_variant_is_found(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one of the histories at least."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        virtual_time.run(many_lived())


async def many_lived() -> None:
    for seed in range(MUTANT_LIVES):
        await lived(seed, QUIET)
