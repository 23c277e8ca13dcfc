"""Who may verify, reject and reverse an outcome."""

from tests.doubles.clients.xyra_client import ORGANIZATION_SCOPES, Client, Xyra
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


async def test_keys_of_one_line_are_one_credential_for_verifying_and_reversing(xyra: Xyra) -> None:
    """A key that reported makes a twin; its parent and a sister are no one else, either."""
    organization = await priced(xyra, {**RESOLVED, "verified_by": "organization"})

    async def child_of(client: Client) -> Client:
        made = await client.post("api-keys", {"name": "Child", "scopes": ORGANIZATION_SCOPES, "force": True})
        return xyra.bearing(made["token"])

    root, other = await xyra.key_of(organization.id), await xyra.key_of(organization.id)
    reporter, sister = await child_of(root), await child_of(root)
    twin = await child_of(reporter)
    now = "2026-11-10T12:00:00Z"
    await reporter.report(resolved("one", now), resolved("two", now))
    await xyra.idle()
    for same in (reporter, twin, sister, root):
        refused = await decide(organization, "one", "verify", by=same, expect=403)
        assert refused["detail"] == "The credential that reported an outcome cannot verify it"
        bulk = await same.post("outcomes/verify", {"filter": {}}, expect=200)
        assert (bulk["verified"], bulk["refused"]) == (0, 2)
    await decide(organization, "one", "verify", by=await child_of(other))
    for same in (reporter, twin, sister, root):
        await decide(organization, "one", "reverse", by=same, expect=403)
    await decide(organization, "one", "reverse", by=other)
