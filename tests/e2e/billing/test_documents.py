"""Documents over HTTP: the operator's profile, files, pages behind links, mails."""

import base64
import io
from typing import Any
from uuid import uuid4

import pytest
from pypdf import PdfReader

from tests.doubles.clients.xyra_client import Organization, Xyra

Json = dict[str, Any]
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30"><path d="M0 0h90v30z" fill="#1f3a5f"/></svg>'
PROFILE = {
    "name": "Nordlicht Agents GmbH",
    "address": {"line1": "Lange Straße 1", "postal_code": "10115", "city": "Berlin", "country": "DE"},
    "tax_ids": [{"type": "eu_vat", "value": "DE136695976"}],
    "registration": "HRB 12345",
    "electronic_address": {"scheme": "9930", "id": "DE136695976"},
    "contact": {"name": "Billing", "email": "billing@nordlicht.example", "phone": "+49 30 1234567"},
    "bank_account": {"iban": "DE89 3704 0044 0532 0130 00", "bic": "COBADEFFXXX"},
    "logo": {"media_type": "image/svg+xml", "data": base64.b64encode(SVG).decode()},
    "colors": {"accent": "#0B5394"},
}
LINES = [{"description": "Onboarding <b>{{ 7 * 7 }}</b>", "quantity": "2.5", "unit_amount": "180.00"}]


async def issued(xyra: Xyra, **fields: Any) -> tuple[Organization, Json]:
    """An invoice by hand of 450.00."""
    organization = await xyra.organization()
    body = {"billing_email": f"{uuid4().hex}@example.com", "language": "fr", **fields}
    (await organization.operator.send("PATCH", f"organizations/{organization.id}", body)).expect(200)
    draft = await organization.operator.post("invoices", {"organization_id": organization.id, "lines": LINES})
    invoice = await organization.operator.send("POST", f"invoices/{draft['id']}/finalize")
    return organization, invoice.expect(200)


async def put_profile(xyra: Xyra, **changed: Any) -> Json:
    profile: Json = (await xyra.operator.send("PUT", "operator/profile", PROFILE | changed)).expect(200)
    return profile


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


@pytest.mark.walk
async def test_an_invoice_is_printed_shown_and_sent(xyra: Xyra) -> None:
    profile = await put_profile(xyra)
    assert (profile["bank_account"]["iban"], profile["colors"]["accent"]) == ("DE89370400440532013000", "#0b5394")
    organization, invoice = await issued(xyra)
    assert await organization.key.get("operator/profile") == profile
    file = await organization.key.send("GET", f"invoices/{invoice['id']}/pdf")
    assert (file.status, file.headers["Content-Type"]) == (200, "application/pdf")
    assert file.headers["Content-Disposition"] == f'attachment; filename="{invoice["number"]}.pdf"'
    text = "".join(text_of(file.body).split())
    for said in ("Facture", invoice["number"], "450,00", LINES[0]["description"], "Nordlicht Agents GmbH"):
        assert "".join(said.split()) in text, said
    await put_profile(xyra, name="Other AG")
    assert (await organization.key.send("GET", f"invoices/{invoice['id']}/pdf")).body == file.body

    link = await organization.key.post(f"invoices/{invoice['id']}/link")
    path = "/pay/" + link["url"].rpartition("/pay/")[2]
    page = await xyra.anonymous.send("GET", path)
    assert (page.status, page.headers["Content-Type"].partition(";")[0]) == (200, "text/html")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    shown = page.body.decode()
    assert "Onboarding &lt;b&gt;{{ 7 * 7 }}&lt;/b&gt;" in shown
    assert "450,00" in shown
    assert (await xyra.anonymous.send("GET", f"{path}/pdf")).body == file.body
    assert (await xyra.anonymous.send("GET", "/pay/unknown")).status == 422

    sent = await organization.key.post(f"invoices/{invoice['id']}/send", expect=202)
    assert sent == {"recipients": 1}
    (await organization.key.send("GET", f"invoices/{invoice['id']}/receipt")).problem(409, "conflict")


async def test_electronic_invoices_and_notes_in_each_format(xyra: Xyra) -> None:
    await put_profile(xyra)
    organization, invoice = await issued(
        xyra,
        address={"line1": "12 rue de la Paix", "postal_code": "75002", "city": "Paris", "country": "FR"},
        electronic_address={"scheme": "9957", "id": "FR40303265045"},
        buyer_reference="04011000-12345-34",
    )
    key = {"Idempotency-Key": uuid4().hex}
    body = {"amount": "10.00", "reason": "The outage"}
    note = await organization.operator.post(f"invoices/{invoice['id']}/credit-notes", body, headers=key)
    for path, number in (
        (f"invoices/{invoice['id']}", invoice["number"]),
        (f"credit-notes/{note['id']}", note["number"]),
    ):
        hybrid = await organization.key.send("GET", f"{path}/e-invoice", format="factur-x")
        assert list(PdfReader(io.BytesIO(hybrid.body)).attachments) == ["factur-x.xml"]
        for wanted in ("xrechnung", "peppol"):
            xml = await organization.key.send("GET", f"{path}/e-invoice", format=wanted)
            assert xml.headers["Content-Type"].partition(";")[0] == "application/xml"
            assert number.encode() in xml.body
        (await organization.key.send("GET", f"{path}/e-invoice")).problem(422, "validation")
        text = text_of((await organization.key.send("GET", f"{path}/pdf")).body)
        assert number in "".join(text.split())


async def test_what_is_missing_stops_finalizing_until_it_is_there(xyra: Xyra) -> None:
    await put_profile(xyra)
    organization = await xyra.organization()
    fields = {"e_invoice": {"format": "peppol"}}
    (await organization.operator.send("PATCH", f"organizations/{organization.id}", fields)).expect(200)
    draft = await organization.operator.post("invoices", {"organization_id": organization.id, "lines": LINES})
    refused = await organization.operator.send("POST", f"invoices/{draft['id']}/finalize")
    assert set(refused.problem(422, "validation")) == {
        "/organization/address/country",
        "/organization/electronic_address",
    }
    assert (await organization.key.get(f"invoices/{draft['id']}"))["status"] == "draft"
    (await organization.operator.send("PATCH", f"organizations/{organization.id}", {"e_invoice": None})).expect(200)
    (await organization.operator.send("POST", f"invoices/{draft['id']}/finalize")).expect(200)


async def test_bad_profiles_are_refused_with_what_is_wrong(xyra: Xyra) -> None:
    script = base64.b64encode(SVG.replace(b"<path", b"<script")).decode()
    for changed, pointer in (
        ({"bank_account": {"iban": "DE00"}}, "/bank_account/iban"),
        ({"tax_ids": [{"type": "eu_vat", "value": "DE1"}]}, "/tax_ids/0/value"),
        ({"colors": {"accent": "red"}}, "/colors/accent"),
        ({"address": {"country": "Germany"}}, "/address/country"),
        ({"logo": {"media_type": "image/png", "data": base64.b64encode(SVG).decode()}}, "/logo/data"),
        ({"logo": {"media_type": "image/svg+xml", "data": script}}, "/logo/data"),
        ({"logo": {"media_type": "image/svg+xml", "data": "not base64"}}, "/logo/data"),
        ({"name": ""}, "/name"),
    ):
        refused = await xyra.operator.send("PUT", "operator/profile", PROFILE | changed)
        assert refused.problem(422, "validation") == [pointer]


async def test_an_address_is_changed_by_its_parts(xyra: Xyra) -> None:
    organization = await xyra.organization()
    path = f"organizations/{organization.id}"
    for sent, expected in (
        ({"city": "Paris", "country": "FR"}, {"city": "Paris", "country": "FR"}),
        ({"line1": "1 High Street", "city": None}, {"line1": "1 High Street", "country": "FR"}),
        ("12 rue de la Paix\n75002 Paris", {"line1": "12 rue de la Paix", "line2": "75002 Paris", "country": "FR"}),
    ):
        answer = (await organization.operator.send("PATCH", path, {"address": sent})).expect(200)
        assert {name: value for name, value in answer["address"].items() if value is not None} == expected
    assert (await organization.operator.send("PATCH", path, {"address": None})).expect(200)["address"] is None
