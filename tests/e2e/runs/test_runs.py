"""Runs group events: what each has cost and earned, in one read."""

from decimal import Decimal
from typing import Any

import pytest

from tests.doubles.clients.xyra_client import Organization, Xyra

Json = dict[str, Any]

START = "2026-10-01T00:00:00Z"

FEE = {"key": "platform", "type": "flat_fee", "amount": "499.00"}
COMMANDS = {
    "key": "commands",
    "type": "activity",
    "base_fee": {"amount": "15.00", "per": "agent"},
    "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
    "pricing": {"type": "graduated", "tiers": [{"up_to": "10", "unit_amount": "0.02"}, {"unit_amount": "0.01"}]},
    "minimum": "50.00",
}
LLM_COST = {"key": "llm", "type": "cost", "categories": ["llm"], "markup_percent": "20"}
RESOLVED = {
    "key": "resolved",
    "type": "outcome",
    "meter": {"event_type": "outcome.issue_resolved"},
    "pricing": {"type": "per_unit", "unit_amount": "0.99"},
    "maximum": "0.50",
}
UNUSED = {
    "key": "searches",
    "type": "activity",
    "meter": {"event_type": "search"},
    "pricing": {"type": "graduated", "tiers": [{"up_to": None, "unit_amount": "1", "flat_amount": "7"}]},
}


async def priced_agent(organization: Organization, *charges: Json, external_id: str = "coder", **fields: Json) -> Json:
    model = await organization.model(*charges, effective_from=START)
    return await organization.agent(external_id, billing_model_id=model["id"], billing_model_from=START, **fields)


def event(number: int, event_type: str, **fields: Any) -> Json:
    return {"id": f"{event_type}-{number}", "type": event_type, "agent": "coder", "run": "run-7", **fields}


@pytest.mark.walk
async def test_40_calls_38_commands_and_an_outcome_in_one_read(xyra: Xyra) -> None:
    organization = await xyra.organization()
    project = await organization.project()
    await priced_agent(organization, FEE, COMMANDS, LLM_COST, RESOLVED, UNUSED, project_id=project["id"])
    thread = await organization.key.post("threads", {"title": "An issue", "project_id": project["id"]})
    run = await organization.key.post(
        "runs",
        {
            "key": "run-7",
            "thread_id": thread["id"],
            "agent": "coder",
            "status": "running",
            "started_at": "2026-11-10T12:00:00Z",
        },
    )
    calls = [
        event(
            number,
            "llm_call",
            time=f"2026-11-10T12:{number:02}:00Z",
            data={
                "model": "openai/gpt-4o",
                "input_tokens": 1000 + number,
                "cached_input_tokens": 10 * number,
                "output_tokens": 100,
            },
        )
        for number in range(40)
    ]
    commands = [event(number, "command", time=f"2026-11-10T12:{number:02}:30Z") for number in range(38)]
    outcome = event(
        0, "outcome.issue_resolved", time="2026-11-10T12:41:00Z", data={"value": "12.00", "evidence": {"pull": 7}}
    )
    other = {"id": "other", "type": "command", "agent": "coder", "run": "run-8", "time": "2026-11-10T12:00:00Z"}
    await organization.key.report(*calls, *commands, outcome, other, other | {"id": "none", "run": None})
    ended = {"status": "completed", "completed_at": "2026-11-10T12:45:30.5Z", "result": [1.50]}
    (await organization.key.send("PATCH", f"runs/{run['id']}", ended)).expect(200)
    await xyra.idle()

    # Per million tokens 2.50, cached 1.25 and out 10.00, for 32,980, 7,800 and 4,000 of them.
    cost = (32_980 * Decimal("2.50") + 7_800 * Decimal("1.25") + 4_000 * Decimal("10.00")) / 1_000_000
    assert cost == Decimal("0.1322")
    usage = 10 * Decimal("0.02") + 28 * Decimal("0.01") + cost * Decimal("1.2")
    report = await organization.key.get(f"runs/{run['id']}")
    assert report["events"] == {"command": 38, "llm_call": 40, "outcome.issue_resolved": 1}
    assert (report["event_count"], report["is_complete"], report["unpriced_calls"]) == (79, True, 0)
    assert (Decimal(report["provider_cost"]), Decimal(report["price"])) == (cost, usage)
    assert Decimal(report["margin"]) == ((usage - cost) / usage).quantize(Decimal("0.000001"))
    assert (report["duration"], report["result"], report["status"]) == ("2730.5", [Decimal("1.50")], "completed")
    assert (report["project_id"], report["thread_id"]) == (project["id"], thread["id"])
    assert (report["outcomes"], report["outcome_value"]) == ({"pending": 1}, "0")

    (pending,) = (await organization.key.get("outcomes"))["data"]
    path, own = f"outcomes/{pending['id']}", {"organization_id": organization.id}
    await xyra.operator.post(f"{path}/verify", {}, expect=200, **own)
    verified = await organization.key.get(f"runs/{run['id']}")
    assert Decimal(verified["price"]) == usage + Decimal("0.99")  # the maximum of a whole period is not a run's
    assert (verified["outcomes"], verified["outcome_value"]) == ({"verified": 1}, "12")
    assert await organization.key.get("runs/by-key/run-7") == verified

    await xyra.operator.post(f"{path}/reverse", {"reason": "It came back"}, expect=200, **own)
    reversed_ = await organization.key.get(f"runs/{run['id']}")
    assert Decimal(reversed_["price"]) == usage
    assert (reversed_["outcomes"], reversed_["outcome_value"]) == ({"reversed": 1}, "0")


async def test_a_run_that_was_never_made_is_read_by_its_key(xyra: Xyra) -> None:
    organization = await xyra.organization(shard_count=4)
    await priced_agent(organization, COMMANDS)
    await organization.agent("helper")
    times = ["2026-11-10T12:00:00Z", "2026-11-10T12:00:07.25Z", "2026-11-10T12:00:03Z"]
    events = [event(number, "command", time=time) for number, time in enumerate(times)]
    costs = {"id": "cost", "type": "cost.compute", "run": "run-7", "time": times[0], "data": {"amount": "0.10"}}
    await organization.key.report(*events, {**costs, "agent": "helper"})
    await xyra.idle()
    report = await organization.key.get("runs/by-key/run-7")
    assert (report["id"], report["status"], report["agent_id"], report["metadata"]) == (None, None, None, None)
    assert report["events"] == {"command": 3, "cost.compute": 1}
    assert (report["duration"], report["first_event_at"]) == ("7.25", times[0])
    # An agent without a model costs what it costs and comes to nothing: 3 x 0.02 - 0.10.
    assert (report["provider_cost"], report["price"]) == ("0.1", "0.06")
    assert report["margin"] == "-0.666667"
    (await organization.key.send("GET", "runs/by-key/run-6")).problem(404, "not_found")
    assert await organization.key.get("runs/by-key", key="run-7") == report
    (await organization.key.send("GET", "runs/by-key", key="run-6")).problem(404, "not_found")
    assert (await organization.key.send("GET", "runs/by-key")).problem(422, "validation") == ["?key"]
    assert (await organization.key.get("runs", key="run-7"))["data"] == []


async def test_a_run_whose_key_has_slashes_is_found_by_it(xyra: Xyra) -> None:
    organization = await xyra.organization()
    thread = await organization.key.post("threads", {"title": "A thread"})
    run = await organization.key.post("runs", {"key": "tasks/7%2F8", "thread_id": thread["id"]})
    await organization.key.post("runs", {"key": "another"})
    assert run.pop("warnings") == []
    assert (await organization.key.get("runs", key="tasks/7%2F8"))["data"] == [run]
    assert (await organization.key.get("runs", key="tasks/7%2F8", thread_id=thread["id"]))["data"] == [run]
    assert (await organization.key.get("runs", key="tasks/7%2F8", status="failed"))["data"] == []
    assert (await organization.key.get("runs/by-key", key="tasks/7%2F8"))["id"] == run["id"]


async def test_a_run_without_events_has_no_figures(xyra: Xyra) -> None:
    organization = await xyra.organization()
    run = await organization.key.post("runs", {})
    assert run["key"] == run["id"]
    report = await organization.key.get(f"runs/{run['id']}")
    assert (report["provider_cost"], report["price"], report["margin"]) == ("0", "0", "0")
    assert (report["events"], report["duration"], report["outcomes"]) == ({}, None, {})


async def test_a_run_moves_on_and_never_back(xyra: Xyra) -> None:
    organization = await xyra.organization()
    answer = await organization.key.send("POST", "runs", {"key": "r"})
    run = answer.expect(201)
    assert (run["status"], run["started_at"], run["completed_at"], run["duration"]) == ("pending", None, None, None)
    path = f"runs/{run['id']}"

    async def move(**changes: Any) -> Any:
        return await organization.key.send("PATCH", path, changes)

    (await move(status="completed")).problem(409, "conflict")
    assert (await move(started_at="2026-11-10T12:00:00Z")).problem(422, "validation") == ["/started_at"]
    running = (await move(status="running", started_at="2026-11-10T12:00:00Z")).expect(200)
    assert running["started_at"] == "2026-11-10T12:00:00Z"
    (await move(status="pending")).problem(409, "conflict")
    assert (await move(completed_at="2026-11-10T12:30:00Z")).problem(422, "validation") == ["/completed_at"]
    assert (await move(error="It broke")).problem(422, "validation") == ["/error"]
    early = await move(status="failed", completed_at="2026-11-10T11:59:59Z")
    assert early.problem(422, "validation") == ["/completed_at"]
    stale = await organization.key.send("PATCH", path, {"metadata": {}}, headers={"If-Match": answer.headers["ETag"]})
    stale.problem(412, "precondition_failed")
    failed = (await move(status="failed", completed_at="2026-11-10T12:00:01Z", error="It broke")).expect(200)
    assert (failed["duration"], failed["error"]) == ("1", "It broke")
    (await move(status="running")).problem(409, "conflict")
    assert (await move(status="failed", metadata={"seen": 1})).expect(200)["metadata"] == {"seen": 1}


async def test_a_run_that_is_over_is_made_as_such(xyra: Xyra) -> None:
    organization = await xyra.organization()
    times = {"started_at": "2026-11-10T12:00:00+01:00", "completed_at": "2026-11-10T12:01:00Z"}
    run = await organization.key.post("runs", {"status": "completed", "result": {"ok": True}, **times})
    assert (run["duration"], run["result"]) == ("3660", {"ok": True})
    now = await organization.key.post("runs", {"status": "failed"})
    assert (now["started_at"], now["duration"]) == (None, None)
    assert now["completed_at"] is not None
    ended = {"status": "completed", "completed_at": "2026-11-10T12:01:00Z"}
    at_once = await organization.key.post("runs", ended)
    assert (at_once["started_at"], at_once["duration"]) == (ended["completed_at"], "0")
    assert (await organization.key.post("runs", {"status": "running"}))["started_at"] is not None


async def test_runs_are_listed_by_what_they_belong_to(xyra: Xyra) -> None:
    organization = await xyra.organization()
    project = await organization.project()
    agent = await organization.agent(project_id=project["id"])
    other = await organization.project("Elsewhere")
    thread = await organization.key.post("threads", {})
    elsewhere = await organization.key.post("threads", {"project_id": other["id"]})
    runs = [
        await organization.key.post("runs", body)
        for body in (
            {"agent": "coder"},
            {"thread_id": thread["id"], "status": "running"},
            {"agent": agent["id"], "thread_id": thread["id"]},
            {"agent": agent["id"], "thread_id": elsewhere["id"]},
            {"thread_id": elsewhere["id"]},
        )
    ]
    assert [run["project_id"] for run in runs] == [
        *(project["id"], None, project["id"]),
        *(project["id"], other["id"]),
    ]

    async def listed(**query: str) -> list[int]:
        found = (await organization.key.get("runs", **query))["data"]
        return [[run["id"] for run in runs].index(each["id"]) for each in found]

    assert await listed() == [4, 3, 2, 1, 0]
    assert await listed(agent="coder") == await listed(agent=agent["id"]) == [3, 2, 0]
    assert await listed(thread_id=thread["id"]) == [2, 1]
    assert await listed(project_id=project["id"]) == [3, 2, 0]
    assert await listed(project_id=other["id"]) == [4]
    assert await listed(status="running") == [1]
    assert await listed(status="pending", agent="coder", limit="1") == [3]


async def test_a_key_is_taken_once(xyra: Xyra) -> None:
    organization = await xyra.organization()
    first = await organization.key.post("runs", {"key": "r"}, headers={"Idempotency-Key": "one"})
    assert await organization.key.post("runs", {"key": "r"}, headers={"Idempotency-Key": "one"}) == first
    assert (await organization.key.send("POST", "runs", {"key": "r"})).problem(409, "conflict") == ["/key"]
    other = await xyra.organization()
    await other.key.post("runs", {"key": "r"})


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"agent": "nobody"}, ["/agent"]),
        ({"thread_id": "thr_0"}, ["/thread_id"]),
        ({"thread_id": "no id"}, ["/thread_id"]),
        ({"key": ""}, ["/key"]),
        ({"key": "x" * 257}, ["/key"]),
        ({"key": "a\nb"}, ["/key"]),
        ({"status": "paused"}, ["/status"]),
        ({"status": "pending", "started_at": "2026-11-10T12:00:00Z"}, ["/started_at"]),
        ({"status": "running", "started_at": "today"}, ["/started_at"]),
        ({"result": "x" * 20_000}, ["/result"]),
        ({"metadata": []}, ["/metadata"]),
        ({"metadata": {str(number): 1 for number in range(51)}}, ["/metadata"]),
        ({"surprise": 1}, ["/surprise"]),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_bad_run_is_refused(xyra: Xyra, body: Json, pointers: list[str]) -> None:
    organization = await xyra.organization()
    assert (await organization.key.send("POST", "runs", body)).problem(422, "validation") == pointers
    assert (await organization.key.get("runs"))["data"] == []


async def test_of_a_very_long_run_the_newest_events_are_counted(xyra: Xyra) -> None:
    organization = await xyra.organization(shard_count=2)
    await organization.agent()
    first = event(0, "search", time="2026-11-10T11:00:00Z")
    others = [event(number, "command", time="2026-11-10T12:00:00Z") for number in range(10_000)]
    await organization.key.report(*others)
    await xyra.idle()
    whole = await organization.key.get("runs/by-key/run-7")
    assert (whole["events"], whole["is_complete"]) == ({"command": 10_000}, True)
    await organization.key.report(first)
    await xyra.idle()
    newest = await organization.key.get("runs/by-key/run-7")
    assert (newest["events"], newest["is_complete"]) == ({"command": 10_000}, False)
