"""The OpenAPI document: complete, fit for generators, and what it was before the code was arranged by areas."""

import json
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import pytest

import function_app
import functions
from functions.access.workload_tokens import OAuthErrors
from shared.domain.kernel.errors import LimitExceededError
from shared.http import ENDPOINTS, Endpoint, openapi
from shared.http.browser_errors import BrowserErrors
from shared.http.pages import PageErrors
from tests.places import DATA

Json = dict[str, Any]

assert function_app.app, "importing it declares the endpoints"

DOCUMENT: Json = json.loads(openapi.document())
SCHEMAS: Mapping[str, Json] = DOCUMENT["components"]["schemas"]
OPERATIONS: list[Json] = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
BEFORE: Json = json.loads((DATA / "before_areas" / "openapi.json").read_bytes())

CHANGES = {
    r"/v1/(traces|logs|metrics)|/api/public/otel/v1/traces": "OTLP is new",
    r"/api/v1/limits|/api/v1/organizations/\{organization_id\}/limits": "limits of organizations are new",
    r"/openmeter/api/v1/events|/ingest/litellm": "other products' routes are new",
    r".*/summary": "summaries are prose, and some say it in plainer words",
    r".*/responses/(default|[45]\d\d)": "errors are declared status by status",
    r".*/parameters/\w+_id/schema/(pattern|maxLength)": "ids in paths say what they look like",
    r".*/parameters/Idempotency-Key/schema/minLength": "an empty key was always refused",
    r"/api/v1/auth/(signup|login|login/access-token)/post/responses/20[01]/headers": "they say how callers stand",
    r"/api/v1/docs/scalar\.js": "the script of the page is new",
    r"/api/v1/runs/by-key": "the report of a key that may contain a slash is new",
    r"/api/v1/(agents|runs)/get/parameters/(external_id|key)": "the same, for lists of at most one",
    r"/api/v1/(agents|events)/post/.*/example/.*": "the examples of agent, model and event fit each other",
    r"/api/v1/api-keys/post/responses/200": "a repeated request does not show the token again",
    r"/api/v1/api-keys/\{key_id\}(/(get|patch))?": "a key can be read and changed",
    r"/api/v1/api-keys/.*/(default_agent|agent_wait_seconds|make_agents|subject_is)": "and says how reports are read",
    r"/api/v1/api-keys/.*/litellm_mapping": "and where the calls of LiteLLM's teams go",
    r"/api/v1/api-keys/.*/(root_id|parent_id)": "and from which keys it descends",
    r"/api/v1/api-keys/.*/required": "which answers say always",
    r"/api/v1/billing-models/.*/next_cursor/.*": "all lists have one form",
    r"/api/v1/events/post/.*/application/cloudevents-batch\+json/.*": "clients cannot tell two kinds of lists apart",
    r".*/items/properties/(agent|model)_name": "lines have names beside their ids",
    r"/api/v1/invoices.*/(as_of|assumes_issued)": "previews and drafts say as of when, and after which other invoices",
    r"/api/v1/invoices.*/kind": "there are interim invoices",
    r"/api/v1/invoices.*/later": "previews show the interim invoices that they assume",
    r"/api/v1/billing-models.*/commitments": "what some charges of a plan come to in a year at least",
    r"/api/v1/billing-models.*/required": "so they say always",
    r"/api/v1/invoices.*/required": "so they do always",
    r".*/settings/(properties|default)/reported_llm_\w+": "operators allow organizations to report costs and terms",
    r"/api/v1/organizations/\{organization_id\}/patch/requestBody/.*/settings/anyOf": "the same, to change it",
    r"/api/v1/llm-prices.*/prices/(properties|type|oneOf|anyOf|required|additionalProperties)": "a second notation",
    r"/api/v1/llm-prices/aliases.*": "names that stand for a model are new",
    r"/api/v1/llm-prices/calculate/post/.*": "all units are calculated, step by step",
    r"/api/v1/llm-costs/reconciliation": "a provider's export is compared with what was metered",
    r"/api/v1/llm-costs": "costs by model, beside what was reported, are new",
    r"/api/v1/events/.*/(cost_source|unpriced_reason|list_version|byok|byok_cost|required)": "where a cost comes from",
    r"/api/v1/agents/\{agent_id\}/llm-calls/post/requestBody/.*": "all units and the provider's own object are taken",
    r".*/requestBody/required": "where nothing is required, the body may be empty",
    r".*/requestBody/.*/((min|max)(Items|Properties)|(config|metadata|values)/anyOf)": "bounds of items",
    r"/api/v1/events/post/requestBody/.*/schema/anyOf": "the same, of lists of events",
    r"/api/v1/ingestion": "what arrives is counted",
    r"/api/v1/(events|agents/\{agent_id\}/.*)/post/responses/202/.*/(warnings|warnings_left_out|required)": "warnings",
    r"/api/v1/events/post/requestBody/.*/(additionalProperties|dataschema)": "extension attributes are kept",
    r"/api/v1/agents/\{agent_id\}/.*/post/requestBody/.*[/,](amount|quantity|value|190\}\$)/anyOf": "noise is rounded",
    r"/api/v1/audit": "the audit trail",
    r"/\.well-known/jwks\.json": "the public keys of tokens",
    r"/api/v1/auth/(refresh|logout|logout-all|switch|me|sessions.*|password/change)": "sessions",
    r"/api/v1/auth/(password/(forgot|confirm|reset)|email/(send|verify))|/account/.*": "links in mails, and pages",
    r"/api/v1/auth/login(/access-token)?/post/responses/200/.*": "and devices, and a second factor may be asked for",
    r"/api/v1/auth/login(/access-token)?/post/requestBody/.*/device_token": "they are known by a token",
    r"/api/v1/service-accounts.*|/api/v1/auth/token": "service accounts",
    r"/api/v1/organizations/\{organization_id\}/export.*|/api/v1/exports/.*": "exports",
    r"/api/v1/identity-providers.*|/api/v1/auth/sso.*": "single sign-on",
    r"/api/v1/auth/(mfa|totp.*|recovery-codes|step-up.*|passkeys.*)": "second factors",
    r"/api/v1/(members|invitations|users).*": "people are invited and managed",
    r"/api/v1/organizations/\{organization_id\}/settings": "organizations have settings of their own",
    r".*/settings/(properties|default)/(flags|unverified_may_write)": "and the operator has more for them",
    r"/api/v1/api-keys/\{key_id\}/(deactivate|adopt)": "keys are stopped, and go on with another owner",
    r"/api/v1/api-keys/.*/(projects|created_by|adopted_by|is_active)": "they say by whom and where they work",
    r"/api/v1/api-keys/.*/(force|last_used_at)": "equal keys are made by force only; they say when they were last used",
    r".*/scopes/items/enum": "there are more permissions",
    r"/api/v1/credits/.*": "credits are new",
    r"/api/v1/budgets.*": "budgets are new",
    r"/api/v1/runs.*/(budget(/.*)?|required)": "what a run may spend in all",
    r"/api/v1/((billing/)?plans|subscriptions).*": "plans and subscriptions are new",
    r".*/settings/(properties|default)/overdraft": "how far an organization's credits may fall below zero",
    r"/api/v1/(organizations|auth/signup).*/(billing_mode|credit_values?|billing_mode_from)": "usage may be prepaid",
    r"/api/v1/(organizations|auth/signup).*/required": "which answers say always",
    r"/api/v1/entitlements.*": "entitlements are new",
    r"/api/v1/(agents|projects|runs|api-keys)/post/responses/201/.*/(warnings|required)": "soft limits of plans warn",
    r"/api/v1/organizations/\{organization_id\}/patch/responses/200/.*/warnings": "of seats, too",
    r"/api/v1/(organizations|auth/signup).*/livemode": "organizations may be for tests",
    r"/api/v1/invoices/\{invoice_id\}/get/parameters/group_by": "an invoice has subtotals",
    r"/api/v1/invoices.*/subtotals": "and shows them",
    r"/api/v1/organizations/\{organization_id\}/(payer|wallet-budget)": "who pays for an organization, and how much",
    r".*/settings/(properties|default)/paid_usage": "events may name what has paid for them",
    r"/api/v1/.*/(paid_with|paidwith|beyond_payment|payment_taken_off|take-payment-off)": "which then costs less",
    r"/api/v1/runs/.*/(provider_cost|price|margin|outcome_value)/format": "amounts of runs say their format",
    r"/api/v1/invoices/post|/api/v1/invoices/\{invoice_id\}/patch": "invoices are drafted by hand",
    r"/api/v1/invoices/\{invoice_id\}/(pay|apply-balance|cancel|credit-notes)": "and paid, cancelled and credited",
    r"/api/v1/invoices.*/(text|applied|to_balance|tax_lines.*)": "notes say what they cover, documents their taxes",
    r"/api/v1/invoices.*/(purchase_order|reference|notes|custom_fields)": "and what people write on them",
    r"/api/v1/invoices.*/(payer_id|issue_date|corrects)": "and who pays them, their date, and what notes correct",
    r"/api/v1/.*/items/properties/(treatment|discount|\w+_amount)": "lines say how they are taxed",
    r"/api/v1/.*/steps/items/properties/kind/enum": "and what was waived or given back of them",
    r"/api/v1/billing/(stripe/webhook|credit-packages.*|config)": "webhooks of Stripe and credit packages are new",
    r"/api/v1/billing/(customer|setup-intent|payment-methods.*)": "customers of Stripe are new",
    r"/api/v1/billing/payments.*|/api/v1/organizations/\{organization_id\}/account": "payments and accounts",
    r"/api/v1/tax-rates.*|/api/v1/organizations/\{organization_id\}/tax|/api/v1/periods/.*": "taxes are new",
    r"/api/v1/(organizations|auth/).*/(address|language|electronic_address|buyer_reference|e_invoice).*": (
        "documents say more of organizations"
    ),
    r"/api/v1/operator/profile.*|/pay/.*": "and of the operator, and are shown behind links",
    r"/api/v1/(invoices|credit-notes)/\{[a-z_]+\}/(pdf|receipt|e-invoice|link|send)": "they are printed and sent",
    r"/api/v1/coupons.*|/api/v1/organizations/\{organization_id\}/coupons.*": "coupons are new",
    r"/api/v1/invoices.*/(discounts|tax_currency)": "and documents say what they take off",
    r".*/settings/(properties|default)/(reminder_days|restricted_after_days)": "people are reminded of what is open",
}
"""What differs from the document as it was before, and why; by the place in `paths`."""


def test_each_schema_has_its_own_name_as_its_title() -> None:
    assert {name: schema["title"] for name, schema in SCHEMAS.items()} == {name: name for name in SCHEMAS}
    assert [name for name in SCHEMAS if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name)] == []


def test_nothing_else_has_a_title() -> None:
    """Generators would make a type of it."""
    inner = [part for schema in SCHEMAS.values() for part in parts_of(schema) if part is not schema]
    inner += parts_of(DOCUMENT["paths"])
    assert [part for part in inner if isinstance(part.get("title"), str)] == []


def parts_of(value: Any) -> list[Json]:
    if isinstance(value, list):
        return [part for each in value for part in parts_of(each)]
    if not isinstance(value, dict):
        return []
    return [value, *(part for name, each in value.items() if name != "example" for part in parts_of(each))]


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_each_field_is_described(name: str) -> None:
    fields = SCHEMAS[name].get("properties", {})
    assert [field for field, schema in fields.items() if not schema.get("description")] == []


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation["operationId"])
def test_each_parameter_is_described(operation: Json) -> None:
    assert [each["name"] for each in operation["parameters"] if not each["description"]] == []


def test_tags_are_the_areas_of_the_entrypoints_and_described() -> None:
    areas = {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]}
    assert {tag for operation in OPERATIONS for tag in operation["tags"]} == set(areas)
    for area, description in areas.items():
        assert description == getattr(functions, area).__doc__


PROBLEMS = {
    ("report_events", HTTPStatus.UNPROCESSABLE_ENTITY): "ProblemOfItems",
    ("sign_in", HTTPStatus.BAD_REQUEST): "ProblemOfChoice",
    ("sign_in_alias", HTTPStatus.BAD_REQUEST): "ProblemOfChoice",
    ("sign_in_by_passkey", HTTPStatus.BAD_REQUEST): "ProblemOfChoice",
    ("use_credits", HTTPStatus.PAYMENT_REQUIRED): "ProblemOfCredits",
    ("use_credits", HTTPStatus.FORBIDDEN): "ProblemOfBudget",
    ("reserve_credits", HTTPStatus.PAYMENT_REQUIRED): "ProblemOfCredits",
    ("reserve_credits", HTTPStatus.FORBIDDEN): "ProblemOfBudget",
    ("take_lease", HTTPStatus.PAYMENT_REQUIRED): "ProblemOfCredits",
    ("take_lease", HTTPStatus.FORBIDDEN): "ProblemOfBudget",
    ("extend_lease", HTTPStatus.PAYMENT_REQUIRED): "ProblemOfCredits",
    ("extend_lease", HTTPStatus.FORBIDDEN): "ProblemOfBudget",
    ("create_subscription", HTTPStatus.CONFLICT): "ProblemOfPlace",
}
"""Those that say more than others."""


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_each_operation_says_with_what_it_can_be_refused(endpoint: Endpoint) -> None:
    operation = DOCUMENT["paths"][f"/{endpoint.route}"][endpoint.method.lower()]
    assert operation["operationId"] == endpoint.name
    refusals = {status for status in operation["responses"] if status >= "400"}
    assert refusals == {str(int(error.status)) for error in endpoint.errors()}
    for error in endpoint.errors():
        answer = operation["responses"][str(int(error.status))]
        assert f"`{error.code}`" in answer["description"]
        of_quota = LimitExceededError in endpoint.further_errors and error.status == HTTPStatus.FORBIDDEN
        problem = PROBLEMS.get((endpoint.name, error.status), "ProblemOfQuota" if of_quota else "Problem")
        match endpoint.error_format:
            case None:
                media_type, schema = "application/problem+json", {"$ref": f"#/components/schemas/{problem}"}
            case PageErrors():
                media_type, schema = "text/html", {"type": "string"}
            case BrowserErrors():
                assert answer["content"]["text/html"]["schema"] == {"type": "string"}
                media_type, schema = "application/problem+json", {"$ref": "#/components/schemas/Problem"}
            case OAuthErrors():
                media_type, schema = "application/json", {"$ref": "#/components/schemas/OAuthProblem"}
            case _:
                media_type, schema = "application/json", {"$ref": "#/components/schemas/Status"}
        assert answer["content"][media_type]["schema"] == schema


def test_it_says_what_it_said_before_but_for_what_was_changed() -> None:
    unused = set(CHANGES)
    for place, before, now in differences(resolved(BEFORE), without_exclusions(resolved(DOCUMENT))):
        named = [pattern for pattern in CHANGES if re.fullmatch(pattern, place)]
        assert named, f"{place} was {before} and is {now}"
        unused -= set(named)
    assert unused == set()


def without_exclusions(value: Any) -> Any:
    """Without what is new in every charge: the filter that matches anything else, and the side that settles it."""
    if isinstance(value, list):
        return [without_exclusions(each) for each in value]
    if not isinstance(value, dict):
        return value
    forms = value.get("oneOf", [])
    if len(forms) == 2 and list(forms[1].get("properties", {})) == ["not"]:
        return without_exclusions(forms[0])
    return {name: without_exclusions(part) for name, part in value.items() if name != "settles"}


def resolved(document: Json) -> Json:
    """The document's paths with every `$ref` resolved.

    Titles, descriptions, tags and the order of names are left out.
    """

    def value_of(value: Any, within: tuple[str, ...] = ()) -> Any:
        if isinstance(value, list):
            return [value_of(each, within) for each in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            name = value["$ref"].rpartition("/")[2]
            assert name not in within, "a recursive schema cannot be written out"
            return value_of(document["components"]["schemas"][name] | without_ref(value), (*within, name))
        return {name: part_of(name, part, within) for name, part in value.items() if name not in LEFT_OUT}

    def part_of(name: str, part: Any, within: tuple[str, ...]) -> Any:
        match name:
            case "properties":
                return {field: value_of(schema, within) for field, schema in part.items()}
            case "parameters":
                return {each["name"]: value_of(each, within) for each in part}
            case "required" if isinstance(part, list):
                return sorted(part)
            case "mapping":
                return sorted(part)
            case _:
                return value_of(part, within)

    paths: Json = value_of(document["paths"])
    return paths


LEFT_OUT = {"title", "description", "tags"}


def without_ref(value: Json) -> Json:
    return {name: part for name, part in value.items() if name != "$ref"}


ABSENT = object()


def differences(before: Any, now: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(now, dict):
        for name in before.keys() | now.keys():
            inner = name if place == "" else f"{place}/{name}"
            yield from differences(before.get(name, ABSENT), now.get(name, ABSENT), inner)
    elif before != now:
        yield place, before, now
