"""Lists of outcomes and their statistics."""

from tests.doubles.clients.xyra_client import Xyra
from tests.doubles.worlds.reported_outcomes import RESOLVED, decide, outcomes, priced, resolved


async def test_lists_and_statistics(xyra: Xyra) -> None:
    organization = await priced(xyra, RESOLVED, shard_count=4)
    await organization.agent("other")
    await organization.key.report(
        *(resolved(f"{number}", f"2026-10-{10 + number}T00:00:00Z", value="1.5") for number in range(10)),
        resolved("unpriced", value="100") | {"agent": "other"},
        resolved("november", "2026-11-10T00:00:00Z", value="8") | {"type": "outcome.sold"},
    )
    await xyra.idle()
    for name in ("0", "1", "2", "unpriced"):
        await decide(organization, name, "verify")
    await decide(organization, "2", "reverse")
    await decide(organization, "3", "reject")
    page = await organization.key.get("outcomes", limit="3")
    assert [each["external_event_id"] for each in page["data"]] == ["november", "unpriced", "9"]
    rest = await organization.key.get("outcomes", limit="200", cursor=page["next_cursor"])
    assert [each["external_event_id"] for each in rest["data"]] == [str(number) for number in range(8, -1, -1)]
    assert list(await outcomes(organization, status="verified")) == ["unpriced", "1", "0"]
    assert list(await outcomes(organization, agent="other")) == ["unpriced"]
    assert list(await outcomes(organization, type="outcome.sold")) == ["november"]
    assert list(await outcomes(organization, period="2026-11")) == ["november"]
    window = {"from": "2026-10-11T00:00:00Z", "to": "2026-10-13T00:00:00Z"}
    assert list(await outcomes(organization, **window)) == ["2", "1"]
    found = await organization.key.get("outcomes/statistics")
    assert (found["count"], found["success_rate"]) == (12, "0.25")
    assert {status: (found[status]["count"], found[status]["value"]) for status in ("verified", "pending")} == {
        "verified": (3, "103"),
        "pending": (7, "17"),
    }
    assert (found["rejected"], found["reversed"]) == ({"count": 1, "value": "1.5"}, {"count": 1, "value": "1.5"})
    november = await organization.key.get("outcomes/statistics", period="2026-11")
    assert (november["count"], november["success_rate"]) == (1, "0")
    assert (await organization.key.get("outcomes/statistics", agent="other"))["success_rate"] == "1"
    coder = await organization.key.get("outcomes/statistics", agent="coder")
    assert (coder["count"], coder["success_rate"]) == (11, "0.181818")
    ready = (await organization.key.get("outcomes/billing-ready"))["data"]
    assert [each["external_event_id"] for each in ready] == ["1", "0"]
