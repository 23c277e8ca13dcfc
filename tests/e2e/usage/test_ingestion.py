"""What arrives is counted by key, source and type; what senders should look at is in the answer."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.worlds.billed_commands import COMMANDS, billed_agent, command

Json = dict[str, Any]

OCTOBER = "2026-10"
LLM_COSTS = {"key": "llm", "type": "cost", "categories": ["llm"]}
TIME = "2026-10-10T12:00:00Z"


def call(event_id: str, model: str, **data: Any) -> Json:
    counts = {"input_tokens": 10, "output_tokens": 1}
    return {
        "id": event_id,
        "type": "llm_call",
        "agent": "coder",
        "time": TIME,
        "data": {"model": model} | counts | data,
    }


async def rows_of(organization: Organization, **query: str) -> dict[tuple[str, str], Json]:
    answer = await organization.key.get("ingestion", **query)
    return {(row["source"], row["type"]): row for row in answer["data"]}


async def codes_of(organization: Organization, *events: Json) -> set[tuple[int, str]]:
    answer = await organization.key.post("events", list(events), expect=202)
    return {(warning["index"], warning["code"]) for warning in answer["warnings"]}


@pytest.mark.walk
async def test_it_tells_what_became_of_all_that_was_sent(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await billed_agent(organization, COMMANDS, LLM_COSTS)
    await organization.agent("free")
    await organization.key.report(*(command(f"good-{number}") for number in range(100)))
    refused = [command(f"bad-{number}", quantity="-1") for number in range(4)] + [command("bad", agent="nobody")]
    answer = await organization.key.post("events", refused, expect=202, partial="true")
    assert (answer["accepted"], len(answer["rejected"])) == (0, 5)
    await xyra.idle()
    await organization.key.report(command("good-1"))
    repeated = await organization.key.post("events", [command("good-2"), command("good-2")], expect=202)
    assert repeated["duplicates_in_request"] == 1
    await organization.key.report(command("good-3", quantity="7"), command("good-4", quantity="7"))
    await organization.key.report(*(call(f"call-{number}", "of-our-own") for number in range(4)))
    await organization.key.report(*(command(f"free-{number}", agent="free") for number in range(6)))
    await xyra.idle()

    await until_written(
        organization, ("command", "duplicates", 3), ("command", "without_model", 6), ("llm_call", "unpriced", 4)
    )
    key = (await organization.key.get("api-keys"))["data"][0]["id"]
    for window in ("hour", "day", "month"):
        rows = await rows_of(organization, window=window)
        assert set(rows) == {("api", "command"), ("api", "llm_call")}
        commands, calls = rows["api", "command"], rows["api", "llm_call"]
        assert {row["key"] for row in rows.values()} == {key}
        assert commands["refused"] == {"agent": 1, "data": 4}
        assert commands["accepted"] == 100 + 2 + 2 + 6  # each repeat and each conflict was accepted once
        assert (commands["duplicates"], commands["parked"], commands["without_model"]) == (3, 2, 6)
        assert (calls["accepted"], calls["unpriced"], calls["priced_at_0"]) == (4, 4, 0)
    answer = await organization.key.get("ingestion")
    assert answer["waiting"] == {"calls": 0, "oldest": None}
    warned = {warning["code"]: (warning["count"], warning["library"]) for warning in answer["warnings"]}
    assert warned == {"unpriced": (4, None), "no_billing_model": (6, None)}
    assert await organization.usage(OCTOBER, "commands") == 100


async def until_written(organization: Organization, *expected: tuple[str, str, int]) -> None:
    """Every process writes what it has counted after a while; this one is not asked for the others'."""
    async with asyncio.timeout(60):
        while True:
            rows = await rows_of(organization)
            if all(rows.get(("api", of_type), {}).get(counter) == count for of_type, counter, count in expected):
                return
            await asyncio.sleep(0.2)


async def test_all_events_of_a_refused_request_are_counted(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await billed_agent(organization)
    await organization.key.post("events", [command("1"), command("2", quantity="many"), command("3")], expect=422)
    await organization.key.post("events", [command("1"), {"id": "2", "type": "command"}], expect=422)
    await organization.key.post("events", {"id": "2", "type": ["command"], "agent": "coder"}, expect=422)
    rows = await rows_of(organization)
    assert rows["api", "command"]["refused"] == {"data": 1, "malformed": 1, "with_its_request": 3}
    assert rows["api", "*"]["refused"] == {"malformed": 1}
    assert rows["api", "command"]["accepted"] == 0


async def test_fifty_pairs_of_source_and_type_are_told_apart(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await billed_agent(organization)
    events = [command("1") | {"type": f"type-{number:02}"} for number in range(60)]
    await organization.key.report(*[event | {"id": str(index)} for index, event in enumerate(events)])
    rows = await rows_of(organization)
    assert len(rows) == 51
    assert rows["*", "*"]["accepted"] == 10


async def test_free_models_are_told_from_unpriced_ones(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await billed_agent(organization, LLM_COSTS)
    assert await codes_of(organization, call("1", "openrouter/deepseek/deepseek-r1:free")) == set()
    await xyra.idle()
    row = (await rows_of(organization))["api", "llm_call"]
    assert (row["unpriced"], row["priced_at_0"]) == (0, 1)


async def test_the_answer_warns_of_what_will_not_be_billed(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await billed_agent(organization, COMMANDS, LLM_COSTS)
    await organization.agent("free")
    no_count = {"id": "3", "type": "llm_call", "agent": "coder", "data": {"model": "gpt-5"}}
    assert await codes_of(
        organization,
        command("0"),
        call("1", "gpt-5"),
        call("2", "of-our-own"),
        no_count,
        call("4", "gpt-5", thinking_tokens=7),
        command("5", agent="free"),
        command("6") | {"type": "unheard"},
        command("7", time="2026-09-10T12:00:00Z"),
    ) == {
        (2, "unpriced"),
        (3, "no_count"),
        (4, "unknown_count"),
        (5, "no_billing_model"),
        (6, "no_charge"),
        (7, "no_billing_model"),
    }


async def test_warnings_are_bounded(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await organization.agent("free")
    events = [command(str(number), agent="free") for number in range(100)]
    answer = await organization.key.post("events", events, expect=202)
    assert [warning["index"] for warning in answer["warnings"]] == list(range(20))
    assert answer["warnings_left_out"] == 80


async def test_reports_in_their_own_terms_are_warned_of_and_counted(xyra: Xyra) -> None:
    organization = await xyra.organization()
    agent = await organization.agent("free")
    for route, body in (
        ("activities", {"activity_type": "command"}),
        ("costs", {"cost_type": "api", "amount": "1"}),
        ("llm-calls", {"model": "gpt-5", "input_tokens": 1}),
        ("outcomes", {"outcome_type": "won"}),
        ("workflows/bulk", {"workflows": {"email": 1, "letter": 2}}),
    ):
        answer = await organization.key.post(f"agents/{agent['id']}/{route}", body, expect=202)
        codes = [(warning["index"], warning["code"]) for warning in answer["warnings"]]
        assert codes[:1] == [(0, "no_billing_model")]
    rows = await rows_of(organization)
    assert {type_ for _, type_ in rows} == {
        "command",
        "cost.api",
        "llm_call",
        "outcome.won",
        "workflow.email",
        "workflow.letter",
    }


async def test_noise_of_floats_is_rounded_and_one_bad_number_fails_alone(xyra: Xyra) -> None:
    organization = await xyra.organization()
    scores = {
        "key": "scores",
        "type": "activity",
        "meter": {"event_type": "scored", "aggregation": "sum", "value": 'data["quality.score"]'},
        "pricing": {"type": "per_unit", "unit_amount": "1"},
    }
    await billed_agent(organization, COMMANDS, scores, LLM_COSTS)
    events = [
        command("1", quantity="0.30000000000000004"),
        command("2") | {"data": {"quantity": 0.30000000000000004, "note": None, "free": "0.30000000000000004"}},
        command("3") | {"data": {"quantity": None}},
        command("4", quantity="1000000000000000"),
        command("5") | {"type": "scored", "data": {"quality.score": "2.00000000000000004"}},
        call("6", "gpt-5", cost="0.00010811999999999999", byok=None, units={"web_searches": None}),
    ]
    answer = await organization.key.post("events", events, expect=202, partial="true")
    assert [each["index"] for each in answer["rejected"]] == [3]
    again = await organization.key.post("events", [command("1", quantity="0.3")], expect=202)
    assert again["accepted"] == 1
    await xyra.idle()
    assert await organization.usage(OCTOBER, "commands") == Decimal("1.6")
    assert await organization.usage(OCTOBER, "scores") == 2
    assert (await organization.key.get("events/parked"))["data"] == []
    stored = (await organization.key.get("events", source="api", id="2"))["data"][0]
    assert stored["data"] == {"quantity": Decimal("0.3"), "note": None, "free": "0.30000000000000004"}
    agent = (await organization.key.get("agents"))["data"][0]["id"]
    noisy = {"model": "gpt-5", "input_tokens": 1, "cost": "0.00010811999999999999"}
    await organization.key.post(f"agents/{agent}/llm-calls", noisy, expect=202)


async def test_extensions_of_a_cloud_event_are_metered_and_no_part_of_it(xyra: Xyra) -> None:
    organization = await xyra.organization()
    regional = {
        "key": "regional",
        "type": "activity",
        "meter": {"event_type": "command", "filter": {"data.extensions.region": {"not": ["eu"]}}},
        "pricing": {"type": "per_unit", "unit_amount": "1"},
    }
    await billed_agent(organization, regional)
    event = {"specversion": "1.0", "source": "tests", "type": "command", "subject": "coder", "time": TIME}
    batch = {"Content-Type": "application/cloudevents-batch+json"}

    async def send(*events: Json) -> None:
        (await organization.key.send("POST", "events", [event | each for each in events], headers=batch)).expect(202)

    own = {"extensions": {"region": "eu"}}
    await send(
        {"id": "1", "region": "us", "traceparent": "first"},
        {"id": "2", "region": "eu"},
        {"id": "3"},
        {"id": "4", "region": "us", "data": own},
    )
    await xyra.idle()
    await send({"id": "1", "region": "us", "traceparent": "second"})
    await xyra.idle()
    assert await organization.usage(OCTOBER, "regional") == 2
    assert (await organization.key.get("events/parked"))["data"] == []
    stored = (await organization.key.get("events", source="tests", id="4"))["data"][0]
    assert stored["data"] == own
    stored = (await organization.key.get("events", source="tests", id="1"))["data"][0]
    assert stored["data"] == {"extensions": {"region": "us", "traceparent": "first"}}
