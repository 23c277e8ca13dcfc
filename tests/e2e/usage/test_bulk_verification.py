"""Many outcomes verified by one request, while others are reported.

`make outcomes` takes 10,000, `make e2e` 1,000.
"""

import asyncio
import os
import time
from decimal import Decimal

from tests.doubles.clients.xyra_client import Xyra
from tests.doubles.worlds.reported_outcomes import RESOLVED, outcomes, priced, resolved, statuses

MANY = int(os.environ.get("XYRA_OUTCOMES", "1000"))
AT_ONCE = 1000


async def test_many_are_verified_while_events_flow(xyra: Xyra) -> None:
    """Bulks of different verifiers that overlap, beside reports that move the same totals: exact in the end."""
    organization = await priced(xyra, RESOLVED | {"pricing": {"type": "percentage", "rate": "10"}}, shard_count=4)
    names = [f"{number}" for number in range(MANY)]
    await organization.key.report(*(resolved(name, value=str(int(name) % 7)) for name in names))
    await xyra.idle()
    ids = {name: each["id"] for name, each in (await outcomes(organization)).items()}
    assert len(ids) == MANY
    flowing = asyncio.Event()
    reported = 0

    async def flow() -> None:
        nonlocal reported
        while not flowing.is_set():
            more = [resolved(f"more {reported + number}", value="3") for number in range(20)]
            await organization.key.report(*more)
            reported += len(more)

    async def verify(chosen: list[str]) -> None:
        for start in range(0, len(chosen), AT_ONCE):
            body = {"ids": [ids[name] for name in chosen[start : start + AT_ONCE]]}
            while True:
                answer = await organization.operator.send(
                    "POST", "outcomes/verify", body, organization_id=organization.id
                )
                if answer.status != 503:
                    break
            found = answer.expect(200)
            assert found["refused"] == 0

    sender, started = asyncio.create_task(flow()), time.monotonic()
    await asyncio.gather(verify(names), verify(names[::-1][: MANY // 2]))
    seconds = time.monotonic() - started
    assert reported > 0
    flowing.set()
    await sender
    await xyra.idle()
    worth = sum(number % 7 for number in range(MANY))
    found = await organization.key.get("outcomes/statistics")
    assert (found["verified"]["count"], found["pending"]["count"]) == (MANY, reported)
    assert (Decimal(found["verified"]["value"]), Decimal(found["pending"]["value"])) == (worth, 3 * reported)
    assert Decimal((await organization.preview("2026-10"))["total"]) == Decimal(worth) / 10
    assert await organization.usage("2026-10", "resolved") == MANY
    print(f"{MANY} outcomes verified in {seconds:.1f} s while {reported} more were reported")  # noqa: T201  figures


async def test_a_bulk_by_filter_goes_on_where_it_ended(xyra: Xyra) -> None:
    organization = await priced(xyra, RESOLVED)
    await organization.key.report(*(resolved(f"{number}") for number in range(5)))
    await organization.key.report(resolved("sold") | {"type": "outcome.sold"})
    await xyra.idle()
    body = {"filter": {"type": "outcome.resolved", "to": "2026-10-21T00:00:00Z"}}
    answer = await organization.operator.post("outcomes/verify", body, expect=200, organization_id=organization.id)
    assert (answer["verified"], answer["refused"], answer["next_cursor"]) == (5, 0, None)
    assert (await statuses(organization))["sold"] == "pending"
    unknown = {"ids": ["out_0000000000000000000000000", "nonsense"]}
    answer = await organization.operator.post("outcomes/verify", unknown, expect=200, organization_id=organization.id)
    assert [each["problem"]["code"] for each in answer["data"]] == ["not_found", "not_found"]
    mixed = ["nonsense", *[each["id"] for each in (await outcomes(organization)).values()], "nonsense"]
    answer = await organization.operator.post(
        "outcomes/verify", {"ids": mixed}, expect=200, organization_id=organization.id
    )
    assert [each["id"] for each in answer["data"]] == mixed[:-1]
