"""Schemathesis over the API's description: no answer is a 5xx, and none is another than it says.

`make schemathesis` installs schemathesis, pinned, in an environment of its own, and names it in `XYRA_SCHEMATHESIS`;
without it this is skipped by name. `XYRA_SCHEMATHESIS_SECONDS` is for all callers together. The table at the end shows
which operations answered with 2xx to whom.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import function_app
from shared.domain.access.identity import Permission
from shared.domain.usage.events import event_key
from shared.http import ENDPOINTS, Endpoint
from shared.services.pricing.default_plans import DEFAULT_PLANS
from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import PASSWORD, Xyra
from tests.doubles.clients.xyra_process import OPERATOR, XyraProcess
from tests.e2e.access.test_isolation import Victim, credential, set_up

Json = dict[str, Any]

assert function_app.app, "importing it declares the endpoints"

TOOL = Path(os.environ.get("XYRA_SCHEMATHESIS", "no schemathesis")).absolute()
SECONDS = int(os.environ.get("XYRA_SCHEMATHESIS_SECONDS", "60"))
PHASES = os.environ.get("XYRA_SCHEMATHESIS_PHASES", "examples,fuzzing")
SEED = int(os.environ.get("XYRA_SCHEMATHESIS_SEED", "20261130"))
LONG_SECONDS = 600
CALLERS = ("operator", "member", "key", "stranger")
CALLS_NEEDED = 0 if SECONDS >= LONG_SECONDS else len(CALLERS)
"""An operation with so many calls has to have a 2xx. A short run on a busy machine does not come to all of them."""
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
ON_THE_CALLER_ITSELF = {
    "log_out_everywhere": "ends the caller's sessions",
    "end_session": "may end the caller's session",
    "switch_organization": "ends the caller's session",
    "change_password": "changes the caller's password",
    "delete_organization": "ends the caller's organization",
    "update_member": "may take the caller's role",
    "remove_member": "may remove the caller",
    "deactivate_user": "may disable the caller",
    "delete_user": "may delete the caller",
    "erase_user": "may erase the caller",
}
"""Left out, with the reason. The tests over HTTP try them."""
BY_A_MAIL = {
    "accept_invitation",
    "accept_by_page",
    "verify_email",
    "verify_by_page",
    "confirm_password",
    "reset_by_page",
    "link_by_page",
}
"""Called, too, but without the token that only a mail tells: they need no 2xx."""
ON_ITS_ONLY_SUBSCRIPTION = {
    "create_subscription",
    "change_subscription",
    "cancel_subscription",
    "pause_subscription",
    "resume_subscription",
    "withdraw_subscription",
}
"""Called, too: but a place has one subscription, and what one call ends or pauses the next finds so."""
BY_A_PROOF = {
    "confirm_totp",
    "remove_totp",
    "renew_recovery_codes",
    "register_passkey",
    "remove_passkey",
    "sign_in_by_passkey",
    "show_second_factor",
    "step_up",
    "issue_workload_token",
    "download_export",
    "sign_in_by_page",
    "change_security",
    "show_security",
    "forget_by_page",
    "show_invoice",
    "download_invoice",
}
"""Called, too, but without the code, the signature, the cookie or the link that only its holder has."""
OF_PROVIDERS = {
    "create_identity_provider",
    "verify_domain",
    "link_account",
    "start_single_sign_on",
    "finish_single_sign_on",
}
"""Called, too: they ask an identity provider or a name server, and none answers here, which is a documented 503."""
OF_STRIPE = {
    "create_billing_customer",
    "get_billing_customer",
    "create_setup_intent",
    "list_payment_methods",
    "set_default_payment_method",
    "remove_payment_method",
    "take_stripe_webhook",
}
"""Called, too: there is no key of Stripe here, which is a documented 503."""
ON_ITS_ONLY_INVOICE = {
    *("pay_invoice", "apply_balance", "create_credit_note", "cancel_invoice", "finalize_invoice"),
    *("get_invoice_pdf", "get_receipt", "get_e_invoice", "get_e_credit_note", "create_invoice_link", "send_invoice"),
}
"""Called, too: but it begins as a draft, what one call cancels the next finds so, and it has nobody to be sent to."""
AFTER_A_TIME = {"write_off_lease"}
"""Called, too: what can be written off lies a while back."""
CONFIGURATION = "".join(
    f"""
[[operations]]
include-operation-id = "{name}"
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]
"""
    for name in sorted(OF_PROVIDERS | OF_STRIPE)
)
READ_BY_SCHEMATHESIS = {"openapi_document"}
"""What it reads, it does not call."""
ENDING = {
    "delete_agent",
    "delete_project",
    "archive_project",
    "delete_department",
    "delete_api_key",
    "deactivate_api_key",
    "withdraw_invitation",
    "archive_billing_model",
    "archive_coupon",
    "archive_plan",
    "end_llm_price",
    "delete_llm_alias",
    "delete_budget",
}
"""Operations that end a thing: each gets a new one, so that those of the scene stay."""

pytestmark = [
    pytest.mark.own_target,
    pytest.mark.skipif(not TOOL.is_dir(), reason="schemathesis is not installed: make schemathesis"),
]


@dataclass(frozen=True)
class Called:
    """An answer as the hooks noted it."""

    caller: str
    operation: str
    status: int
    said: str
    """The body of a refusal."""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


async def scene_of(served: Served, xyra: Xyra) -> Json:
    """An organization with one of each thing, and the credentials of all callers."""
    victim = await set_up(xyra, served.process.data_dir)
    things = dict(victim.path_values)
    grant = {"organization_id": victim.organization.id, "amount": "1000000", "source": "bonus", "reason": "To spend"}
    await xyra.operator.post("credits/grants", grant, headers={"Idempotency-Key": "the scene's"})
    paid = {"id": "paid", "type": "command", "agent": things["external_id"], "paid_with": things["hold_id"]}
    await victim.organization.key.report(paid)
    await xyra.idle()
    member = (await xyra.bearing(victim.members["owner"]).get("auth/me"))["user"]
    username, password = OPERATOR
    return {
        "base": served.process.base,
        "seed": SEED,
        "things": things,
        "fields": {
            "organization_id": victim.organization.id,
            "agent": things["external_id"],
            **{name: things[name] for name in ("agent_id", "billing_model_id", "thread_id") if name in things},
            "billing_model_id": things["model_id"],
            "project_id": things["project_id"],
            "department_id": things["department_id"],
            "period": "2026-10",
        },
        "queries": {**victim.query_values, "date": "2026-10-05"},
        "ending": sorted(ENDING),
        "of_no_organization": sorted(endpoint.name for endpoint in ENDPOINTS if is_for_all(endpoint)),
        "spares": spares_of(victim),
        "paid_event_id": event_key(victim.organization.id, "api", "paid"),
        "operator_key": served.operator_key,
        "callers": {
            "operator": {"username": username, "password": password},
            "member": {"username": member["email"], "password": PASSWORD},
            "key": {"key": credential(victim.organization.key)},
            "stranger": {},
        },
    }


def is_for_all(endpoint: Endpoint) -> bool:
    """Whether it changes what is every organization's, so that none is to be named."""
    of_the_operator = (Permission.PRICES_WRITE, Permission.PLANS_WRITE, Permission.ORGANIZATIONS_CREATE)
    is_the_operators = endpoint.access in of_the_operator
    names_none = {
        "put_operator_profile",
        "create_staff_user",
        "reset_password",
        "put_action_cost",
        "put_service_account",
    }
    return endpoint.method != "GET" and (is_the_operators or endpoint.name in names_none)


def spares_of(victim: Victim) -> Mapping[str, tuple[str, Json]]:
    """How to make another thing for each path parameter that operations end."""
    own = {"organization_id": victim.organization.id}
    at = f"?organization_id={victim.organization.id}"
    model = {"currency": "USD", "charges": [{"key": "fee", "type": "flat_fee", "amount": "1"}]}
    alias = {"provider": "azure", "model": "gpt-5", "from": "2026-11-01T00:00:00Z"}
    return {
        "agent_id": (f"agents{at}", {"external_id": "fresh", "name": "Spare"}),
        "project_id": (f"projects{at}", {"name": "fresh"}),
        "department_id": (f"departments{at}", {"name": "fresh"}),
        "key_id": ("api-keys", {"name": "Spare", "scopes": ["agents:read"], **own}),
        "model_id": ("billing-models", {"name": "Spare", **model, **own}),
        "plan_id": ("plans", {"key": "fresh", "name": "Spare", "prices": {"USD": DEFAULT_PLANS[0].model_version_id}}),
        "coupon_id": ("coupons", {"code": "fresh", "name": "Spare", "percent": "1", "duration": "once"}),
        "price_id": ("llm-prices", {"model": "fresh", "prices": {"input": "1", "output": "1"}}),
        "invitation_id": (f"invitations{at}", {"email": "fresh@example.com", "role": "viewer"}),
        "alias_id": ("llm-prices/aliases", {"name": "fresh", **alias, **own}),
        "budget_id": (f"budgets/fresh{at}", {"scope": "organization", "window": "month", "limit": "1000000"}),
    }


async def run(base: str, folder: Path) -> tuple[int, str]:
    """Let schemathesis call all operations, by turns as each caller: its exit code, and what it said."""
    program = await asyncio.create_subprocess_exec(
        str(TOOL / "bin" / "st"),
        "run",
        f"{base}/api/v1/openapi.json",
        f"--checks={','.join(CHECKS)}",
        f"--phases={PHASES}",
        "--max-examples=2",  # of a pass over all operations; passes are repeated until the time is over
        f"--max-time={SECONDS}",
        f"--seed={SEED}",
        "--continue-on-failure",
        "--request-timeout=60",
        "--suppress-health-check=all",
        "--generation-database=none",
        "--warnings=off",
        "--no-color",
        *(f"--exclude-operation-id={name}" for name in sorted(ON_THE_CALLER_ITSELF)),
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "SCHEMATHESIS_HOOKS": str(Path(__file__).with_name("hooks.py")),
            "XYRA_SCENE": str(folder / "scene.json"),
            "XYRA_ANSWERS": str(folder / "answers.jsonl"),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await program.communicate()
    assert program.returncode is not None
    return program.returncode, said.decode()


def table(answers: list[Called]) -> Iterator[str]:
    """How many calls each operation had from each caller, and how many of them were answered with 2xx."""
    calls, successes = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for called in answers:
        calls[called.operation, called.caller] += 1
        successes[called.operation, called.caller] += called.is_success
    yield f"{'2xx of all calls':36}" + "".join(f"{caller:>14}" for caller in CALLERS)
    for operation in sorted({called.operation for called in answers}):
        cells = (f"{successes[operation, caller]}/{calls[operation, caller]}" for caller in CALLERS)
        yield f"{operation:36}" + "".join(f"{cell:>14}" for cell in cells)
    yield f"{len(answers)} calls"


async def test_every_answer_is_one_that_the_description_has(
    new_process: Callable[..., XyraProcess], tmp_path: Path
) -> None:
    served = await Served.by(new_process(XYRA_LIMITS="off"))
    async with served.clients() as xyra:
        scene = await scene_of(served, xyra)
    (tmp_path / "scene.json").write_text(json.dumps(scene), encoding="utf-8")
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION, encoding="utf-8")
    code, said = await run(served.process.base, tmp_path)
    lines = (tmp_path / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    answers = [Called(*json.loads(line)) for line in lines]
    sys.stdout.write("\n".join(table(answers)) + "\n")
    assert code == 0, said
    succeeded = {called.operation for called in answers if called.is_success}
    expected = {endpoint.name for endpoint in ENDPOINTS} - set(ON_THE_CALLER_ITSELF) - BY_A_MAIL - READ_BY_SCHEMATHESIS
    expected -= ON_ITS_ONLY_SUBSCRIPTION | ON_ITS_ONLY_INVOICE | BY_A_PROOF | OF_PROVIDERS | OF_STRIPE | AFTER_A_TIME
    refusals = {name: [called for called in answers if called.operation == name] for name in expected - succeeded}
    missing = {name: calls[-4:] for name, calls in refusals.items() if len(calls) >= CALLS_NEEDED}
    assert missing == {}, "nobody was answered with 2xx"
