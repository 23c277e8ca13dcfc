"""What schemathesis does with each call: it takes turns as who calls, names things that exist, and notes every answer.

It runs in schemathesis's own environment, and knows the host by what the test wrote into the file `XYRA_SCENE`.
"""

import copy
import json
import os
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import requests
import schemathesis

SCENE: dict[str, Any] = json.loads(Path(os.environ["XYRA_SCENE"]).read_text(encoding="utf-8"))
ANSWERS = Path(os.environ["XYRA_ANSWERS"])
API = f"{SCENE['base']}/api/v1"
RENEWED_AFTER_SECONDS = 300
FIRST_CALLS = 8
"""Of each operation, which always name things that exist; later ones mostly do."""
MOSTLY = 0.8
FOUND = 200
LONGEST_QUERY = 4000

rng = random.Random(SCENE["seed"])
calls = Counter[str]()
called_by: dict[str, str] = {}
"""Id of a case -> the name of its caller, until it is answered."""


class Caller:
    """Who calls, with a credential that is renewed before it expires."""

    def __init__(self, name: str, credential: dict[str, str]) -> None:
        self.name = name
        self._credential = credential
        self._token = credential.get("key")
        self._renew_at = 0.0

    def headers(self) -> dict[str, str]:
        if "username" in self._credential and time.monotonic() >= self._renew_at:
            answer = requests.post(f"{API}/auth/login/access-token", data=self._credential, timeout=30)
            answer.raise_for_status()
            self._token = answer.json()["access_token"]
            self._renew_at = time.monotonic() + RENEWED_AFTER_SECONDS
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}


CALLERS = [Caller(name, credential) for name, credential in SCENE["callers"].items()]


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:  # noqa: ARG001  as the hook has it
    operation = operation_of(case)
    caller = CALLERS[calls[operation] % len(CALLERS)]
    called_by[case.id] = caller.name
    for name in ("Authorization", "X-API-Key"):
        case.headers.pop(name, None)
    case.headers.update(caller.headers())
    calls[operation] += 1
    if calls[operation] <= FIRST_CALLS or rng.random() < MOSTLY:
        make_known(case, operation)


def make_known(case: Any, operation: str) -> None:
    """Let the call name things that exist, and be one that can succeed as far as its path and body go."""
    case.headers.pop("Idempotency-Key", None)  # a key is used by one request alone
    if any(header.name == "Idempotency-Key" for header in case.operation.headers):
        case.headers["Idempotency-Key"] = uuid4().hex
    if "If-Match" in case.operation.headers:
        case.headers["If-Match"] = "*"
    for name in case.path_parameters or {}:
        case.path_parameters[name] = known_thing(name, operation, case.path_parameters[name])
    is_first = calls[operation] <= FIRST_CALLS
    case.query = known_query(case, operation, all_others=not is_first)
    if is_first and (example := example_of(case)) is not None:
        case.body = example
    name_things(case.body)
    if isinstance(case.body, dict):
        case.body.update({name: value() for name, value in FRESH.get(operation, {}).items()})


def known_query(case: Any, operation: str, *, all_others: bool) -> dict[str, Any]:
    """The query with what is known; of the others those that are required, or all."""
    known = {**SCENE["fields"], **SCENE["queries"]}
    if operation in SCENE["of_no_organization"]:
        known.pop("organization_id")
    kept = {parameter.name for parameter in case.operation.query if all_others or parameter.is_required}
    query = {name: value for name, value in (case.query or {}).items() if name in kept}
    return query | {
        parameter.name: known[parameter.name] for parameter in case.operation.query if parameter.name in known
    }


def known_thing(name: str, operation: str, otherwise: Any) -> Any:
    """A thing that exists for a parameter of a path; a new one where the operation ends it."""
    if name == "outcome_id" and operation in DECIDING:
        return reported_outcome(is_verified=operation == "reverse_outcome")
    if name in ("hold_id", "lease_id", "transaction_id") and operation in SPENDING:
        return spent(name)
    if operation == "take_payment_off" and name == "event_id":
        return SCENE["paid_event_id"]
    if name in SCENE["spares"] and operation in SCENE["ending"]:
        return spare(name)
    return SCENE["things"].get(name, otherwise)


def signed_in(field: str) -> str:
    """A part of the answer to a sign-in of the member."""
    answer = requests.post(f"{API}/auth/login/access-token", data=SCENE["callers"]["member"], timeout=30)
    answer.raise_for_status()
    return answer.json()[field]


def signed_up() -> str:
    """The id of a new user."""
    body = {"full_name": "Grace Hopper", "organization_name": "New", "currency": "USD", "timezone": "UTC"}
    new = {"email": f"{uuid4().hex}@example.com", "password": SCENE["callers"]["member"]["password"]}
    answer = requests.post(f"{API}/auth/signup", json=body | new | {"accept_terms": True}, timeout=30)
    answer.raise_for_status()
    return answer.json()["user"]["id"]


def new_coupon() -> str:
    """The code of a new coupon."""
    headers = {"Authorization": f"Bearer {SCENE['operator_key']}"}
    body = {"code": uuid4().hex, "name": "Fresh", "percent": "1", "duration": "once"}
    answer = requests.post(f"{API}/coupons", json=body, headers=headers, timeout=30)
    answer.raise_for_status()
    return answer.json()["code"]


def key_of_plan() -> str:
    """The key of the scene's plan, which another version keeps."""
    headers = {"Authorization": f"Bearer {SCENE['operator_key']}"}
    answer = requests.get(f"{API}/plans/{SCENE['things']['plan_id']}", headers=headers, timeout=30)
    answer.raise_for_status()
    return answer.json()["key"]


FRESH = {
    "create_coupon": {"code": lambda: uuid4().hex},
    "redeem_coupon": {"code": new_coupon},
    "create_plan": {"key": lambda: uuid4().hex},
    "refresh_session": {"refresh_token": lambda: signed_in("refresh_token")},
    "log_out": {"refresh_token": lambda: signed_in("refresh_token")},
    "sign_in": {name: lambda name=name: SCENE["callers"]["member"][name] for name in ("username", "password")},
    "sign_in_alias": {name: lambda name=name: SCENE["callers"]["member"][name] for name in ("username", "password")},
    "sign_up": {"email": lambda: f"{uuid4().hex}@example.com"},
    "create_agent": {"external_id": lambda: uuid4().hex},
    "create_organization": {"slug": lambda: f"s{uuid4().hex[:20]}"},
    "create_project": {"name": lambda: uuid4().hex},
    "create_department": {"name": lambda: uuid4().hex},
    "create_run": {"key": lambda: uuid4().hex},
    # The plan of the scene, which limits nothing that the calls create.
    "create_subscription": {"plan": lambda: "enterprise"},
    "change_subscription": {"plan": lambda: "enterprise"},
    # In force as long as the calls last: without a plan nothing could be created.
    "cancel_subscription": {"at": lambda: "2030-01-01T00:00:00Z"},
    "pause_subscription": {"at": lambda: "2030-01-01T00:00:00Z"},
    "publish_plan": {"key": key_of_plan, "entitlements": list},
    "put_wallet_budget": {"monthly": lambda: "1000000000"},
    "put_budget": {"limit": lambda: "1000000000"},  # which stops nothing that the calls spend
    "reset_password": {"user_id": signed_up},
    "issue_service_account_token": {"scopes": lambda: ["agents:read"]},
    "create_staff_user": {"email": lambda: f"{uuid4().hex}@example.com"},
    "create_invitation": {"email": lambda: f"{uuid4().hex}@example.com"},
    "put_limits": {name: lambda: 10_000_000 for name in ("agents", "api_keys", "threads", "billing_models")}
    | {"stored_bytes": lambda: 10**10, "key_requests_per_minute": lambda: None},
}
"""What is unique: field of a body -> a value that nobody has."""


def example_of(case: Any) -> Any:
    """The body that the description shows; None where it shows none."""
    content = case.operation.definition.raw.get("requestBody", {}).get("content", {})
    return copy.deepcopy(content.get(case.media_type, {}).get("example"))


def name_things(value: Any) -> None:
    """Put things that exist into the fields of a body that name some."""
    if isinstance(value, list):
        for each in value:
            name_things(each)
    elif isinstance(value, dict):
        for name, part in value.items():
            if name in SCENE["fields"] and isinstance(part, str):
                value[name] = SCENE["fields"][name]
            else:
                name_things(part)


def spare(name: str) -> str:
    """A new thing, to be ended."""
    path, body = SCENE["spares"][name]
    fresh = {
        field: value.replace("fresh", uuid4().hex) if isinstance(value, str) else value for field, value in body.items()
    }
    method = "PUT" if name in NAMED_BY_CALLERS else "POST"
    made = requests.request(
        method,
        f"{API}/{path.replace('fresh', uuid4().hex)}",
        json=fresh,
        headers={"Authorization": f"Bearer {SCENE['operator_key']}"},
        timeout=30,
    )
    if not made.ok:
        raise RuntimeError(f"{method} {path} answered {made.status_code}: {made.text}")
    return made.json()["id"]


NAMED_BY_CALLERS = {"budget_id"}
"""Things that are put under an id of the caller's."""

DECIDING = {"verify_outcome", "reject_outcome", "reverse_outcome"}
"""Operations that an outcome takes once."""


def reported_outcome(*, is_verified: bool) -> str:
    """A new outcome, which waits to be verified, or has been."""
    operator = {"Authorization": f"Bearer {SCENE['operator_key']}"}
    reporter = {"Authorization": f"Bearer {SCENE['callers']['key']['key']}"}
    body = {"outcome_type": "won", "id": uuid4().hex, "value": "1000000", "currency": "USD"}
    path = f"{API}/agents/{SCENE['things']['agent_id']}/outcomes"
    made = requests.post(path, json=body, headers=reporter, timeout=30)
    made.raise_for_status()
    outcome_id = made.json()["outcome_id"]
    path = f"{API}/outcomes/{outcome_id}"
    query = {"organization_id": SCENE["fields"]["organization_id"]}
    deadline = time.monotonic() + 10
    while requests.get(path, headers=operator, params=query, timeout=30).status_code != FOUND:
        if time.monotonic() > deadline:
            raise TimeoutError("the outcome was not metered within 10 s")
        time.sleep(0.05)
    if is_verified:
        requests.post(f"{path}/verify", headers=operator, params=query, timeout=30).raise_for_status()
    return outcome_id


SPENDING = {"capture_hold", "release_hold", "refund_credits", "extend_lease", "end_lease"}
"""Operations that a hold, a lease or a transaction takes once."""


def spent(name: str) -> str:
    """A new hold, or a new transaction, of the operator's in the organization."""
    answer: dict[str, Any] = {}
    for path, body in (("grants", {"amount": "10", "source": "bonus", "reason": "To spend"}), SPENT[name]):
        made = requests.post(
            f"{API}/credits/{path}",
            json=body | {"organization_id": SCENE["fields"]["organization_id"]},
            headers={"Authorization": f"Bearer {SCENE['operator_key']}", "Idempotency-Key": uuid4().hex},
            timeout=30,
        )
        made.raise_for_status()
        answer = made.json()
    return answer[name]


SPENT = {
    "hold_id": ("reserve", {"amount": "5", "expires_in": 600}),
    "lease_id": ("leases", {"amount": "5", "expires_in": 600}),
    "transaction_id": ("use", {"amount": "5"}),
}


def operation_of(case: Any) -> str:
    return case.operation.definition.raw["operationId"]


@schemathesis.hook
def filter_query(context: Any, query: dict[str, Any]) -> bool:  # noqa: ARG001  as the hook has it
    """Leave out what makes a request line longer than servers take, which they refuse before the app sees it."""
    return len(quote(str(query))) < LONGEST_QUERY


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:  # noqa: ARG001  as the hook has it
    caller = called_by.pop(case.id, None)
    if caller is not None:
        said = "" if response.status_code < 300 else response.text[:600]
        with ANSWERS.open("a", encoding="utf-8") as file:
            file.write(json.dumps([caller, operation_of(case), response.status_code, said]) + "\n")
