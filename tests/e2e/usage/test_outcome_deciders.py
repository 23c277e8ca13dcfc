"""Who may verify, reject and reverse an outcome."""

from tests.doubles.clients.xyra_client import Xyra
from tests.doubles.worlds.reported_outcomes import RESOLVED, decide, priced, resolved, statuses


async def test_nobody_verifies_what_the_same_credential_reported(xyra: Xyra) -> None:
    organization = await priced(xyra, {**RESOLVED, "verified_by": "organization"})
    own, other = await xyra.key_of(organization.id), await xyra.key_of(organization.id)
    await own.report(resolved("by key"))
    event = resolved("by operator") | {"organization": organization.id}
    await organization.operator.post("events", event, expect=202)
    await xyra.idle()
    refused = await decide(organization, "by key", "verify", by=own, expect=403)
    assert refused["detail"] == "The credential that reported an outcome cannot verify it"
    await decide(organization, "by operator", "verify", expect=403)
    bulk = await own.post("outcomes/verify", {"filter": {}}, expect=200)
    assert (bulk["verified"], bulk["refused"]) == (1, 1)
    assert [each["problem"]["code"] for each in bulk["data"] if each["status"] is None] == ["forbidden"]
    assert await statuses(organization) == {"by key": "pending", "by operator": "verified"}
    shown = await decide(organization, "by key", "verify", by=other)
    assert (shown["status"], shown["decided_by"]) == ("verified", "organization")
    await decide(organization, "by key", "verify", by=own, expect=403)
    assert (await statuses(organization)) == {"by key": "verified", "by operator": "verified"}


async def test_the_organization_decides_only_where_the_charge_says_so(xyra: Xyra) -> None:
    organization = await priced(xyra, RESOLVED)
    await organization.key.report(resolved("a"))
    await xyra.idle()
    other = await xyra.key_of(organization.id)
    for decision in ("verify", "reject"):
        await decide(organization, "a", decision, by=other, expect=403)
    reader = await xyra.key_of(organization.id, ["outcomes:read"])
    await decide(organization, "a", "verify", by=reader, expect=403)
    assert (await decide(organization, "a", "verify"))["decided_by"] == "operator"
    await decide(organization, "a", "reverse", by=other, expect=403)


async def test_the_organization_takes_back_what_it_verified_itself_while_that_credits_nothing(xyra: Xyra) -> None:
    organization = await priced(xyra, {**RESOLVED, "verified_by": "organization"})
    reporter, other = await xyra.key_of(organization.id), await xyra.key_of(organization.id)
    now = "2026-11-10T12:00:00Z"
    await reporter.report(resolved("own", now), resolved("operator's", now), resolved("of an ended period"))
    await xyra.idle()
    for name in ("own", "of an ended period"):
        await decide(organization, name, "verify", by=other)
    await decide(organization, "operator's", "verify")
    for name in ("operator's", "of an ended period"):
        await decide(organization, name, "reverse", by=other, expect=403)
    await decide(organization, "own", "reverse", by=reporter, expect=403)
    assert (await decide(organization, "own", "reverse", by=other))["decided_by"] == "organization"
    assert (await decide(organization, "of an ended period", "reverse"))["decided_by"] == "operator"
