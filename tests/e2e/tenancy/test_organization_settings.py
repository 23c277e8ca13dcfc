"""Settings of an organization: replaced as a whole under If-Match; those of the operator stay as they are."""

from typing import Any

import pytest

from tests.doubles.clients.xyra_client import Answer, Client, Organization, Xyra

Json = dict[str, Any]


async def put(client: Client, organization: Organization, body: Json, etag: str | None = None) -> Answer:
    path = f"organizations/{organization.id}/settings"
    if etag is None:
        etag = (await organization.key.send("GET", path)).headers["ETag"]
    return await client.send("PUT", path, body, headers={"If-Match": etag})


async def test_they_are_replaced_as_a_whole(xyra: Xyra) -> None:
    organization = await xyra.organization(settings={"self_managed_pricing": True})
    path = f"organizations/{organization.id}/settings"
    body = {
        "billing_contacts": ["a@example.com", "b@example.com"],
        "webhook_url": "https://example.com/hooks",
        "metadata": {"cost_center": "4711"},
    }
    changed = (await put(organization.key, organization, body)).expect(200)
    assert changed == {
        **body,
        "mfa_required": False,
        "step_up_required": False,
        "self_managed_pricing": True,
        "reported_llm_costs": False,
        "reminder_days": [-3, 1, 7, 14],
        "restricted_after_days": None,
        "reported_llm_terms": False,
        "paid_usage": False,
        "unverified_may_write": False,
        "overdraft": "0",
        "top_up": None,
        "balance_alerts": ["50", "10"],
        "flags": {},
    }
    assert await organization.key.get(path) == changed
    reset = (await put(organization.key, organization, {})).expect(200)
    assert (reset["billing_contacts"], reset["webhook_url"], reset["metadata"]) == ([], None, {})
    assert reset["self_managed_pricing"] is True


async def test_a_replacement_names_the_version_that_it_replaces(xyra: Xyra) -> None:
    organization = await xyra.organization()
    path = f"organizations/{organization.id}/settings"
    (await organization.key.send("PUT", path, {})).problem(428, "precondition_required")
    etag = (await organization.key.send("GET", path)).headers["ETag"]
    (await put(organization.key, organization, {"metadata": {"a": 1}}, etag)).expect(200)
    (await put(organization.key, organization, {"metadata": {"a": 2}}, etag)).problem(412, "precondition_failed")


OPERATORS = [
    {"self_managed_pricing": True},
    {"reported_llm_costs": True},
    {"restricted_after_days": 30},
    {"reported_llm_terms": True},
    {"paid_usage": True},
    {"unverified_may_write": True},
    {"flags": {"beta": True}},
]


@pytest.mark.parametrize("field", OPERATORS, ids=lambda field: next(iter(field)))
async def test_what_the_operator_decides_is_shown_and_not_changed(xyra: Xyra, field: Json) -> None:
    organization = await xyra.organization()
    ((name, value),) = field.items()
    assert (await put(organization.key, organization, field)).problem(403, "forbidden") == [f"/{name}"]
    by_operator = (await put(organization.operator, organization, field)).expect(200)
    assert by_operator[name] == value
    assert (await put(organization.key, organization, field)).expect(200)[name] == value
    assert (await put(organization.key, organization, {})).expect(200)[name] == value


@pytest.mark.parametrize("name", ["mfa_required", "step_up_required"])
async def test_what_an_owner_decides_stays_where_it_is_left_out(xyra: Xyra, name: str) -> None:
    organization = await xyra.organization()
    assert (await put(organization.key, organization, {name: True})).expect(200)[name] is True
    assert (await put(organization.key, organization, {})).expect(200)[name] is True
    assert (await put(organization.key, organization, {name: False})).expect(200)[name] is False


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"contacts": []}, "/contacts"),
        ({"billing_contacts": [f"{number}@example.com" for number in range(11)]}, "/billing_contacts"),
        ({"billing_contacts": ["a@example.com", "A@example.com"]}, "/billing_contacts"),
        ({"billing_contacts": ["nobody"]}, "/billing_contacts/0"),
        ({"webhook_url": "http://example.com"}, "/webhook_url"),
        ({"webhook_url": "https://user:secret-word@example.com"}, "/webhook_url"),
        ({"webhook_url": "https:///path"}, "/webhook_url"),
        ({"metadata": {str(number): number for number in range(51)}}, "/metadata"),
        ({"flags": {f"flag{number}": True for number in range(51)}}, "/flags"),
        ({"flags": {"With Space": True}}, "/flags"),
        ({"flags": {"beta": 1}}, "/flags/beta"),
    ],
)
async def test_what_is_out_of_bounds_is_refused(xyra: Xyra, body: Json, pointer: str) -> None:
    organization = await xyra.organization()
    assert (await put(organization.operator, organization, body)).problem(422, "validation") == [pointer]
