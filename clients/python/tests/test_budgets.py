"""Budgets: a run with a cap, whose calls of models are paid before they are sent."""

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
import xyra
from ledger_double import Ledger
from provider_double import ProviderDouble
from stub_server import StubServer
from xyra import sending

pytestmark = pytest.mark.usefixtures("short_pauses")
MESSAGES: Any = [{"role": "user", "content": "Hello"}]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_INTERVAL", 0.02)


@pytest.fixture
def provider() -> Iterator[ProviderDouble]:
    double = ProviderDouble()
    yield double
    double.close()


@pytest.fixture
def ledger(server: StubServer) -> Ledger:
    server.answer = made = Ledger(cap="4")
    return made


@pytest.fixture
def client(server: StubServer, ledger: Ledger, tmp_path: Path) -> Iterator[xyra.Client]:
    assert server.answer is ledger
    made = xyra.init("key", server.base, agent="coder", spool_path=tmp_path / "spool")
    yield made
    made.close()


@pytest.fixture
def gpt(provider: ProviderDouble) -> openai.OpenAI:
    return xyra.wrap(openai.OpenAI(api_key="k", base_url=f"{provider.base}/v1", max_retries=2))


@pytest.fixture
async def gpt_async(provider: ProviderDouble) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key="k", base_url=f"{provider.base}/v1", max_retries=2) as made:
        yield xyra.wrap(made)


def ask(gpt: openai.OpenAI, model: str = "gpt-5", **given: Any) -> Any:
    return gpt.chat.completions.create(model=model, messages=MESSAGES, **given)


def test_a_run_is_made_with_its_cap_and_ended(client: xyra.Client, ledger: Ledger) -> None:
    with xyra.budget("run-7", usd="2.00", metadata={"a": 1}) as budget:
        client.track("step")
        for _ in range(20):
            budget.use("0.10")
        with pytest.raises(xyra.BudgetExceeded):
            budget.use("0.01")
        assert budget.spent == 2
    assert client.flush() == 0
    run = ledger.runs["run-7"]
    assert (run["budget"], run["agent"], run["status"]) == ({"limit": "2.00", "unit": "money"}, "coder", "running")
    assert run["metadata"] == {"a": 1}
    assert [(end["id"], end["status"]) for end in ledger.ends] == [("run_0", "completed")]
    assert (ledger.spent, ledger.held) == (4, 0)
    assert {lease.json["run"] for lease in ledger.requests("/leases")} == {"run-7"}
    (events,) = (asked.json["events"] for asked in ledger.requests("/events"))
    assert [(event["run"], event["agent"]) for event in events] == [("run-7", "coder")]


def test_totals_in_credits_are_rounded_up_once(client: xyra.Client, ledger: Ledger) -> None:
    ledger.credit_value = "0.3"
    with xyra.budget("run-7", usd="1") as budget:
        for _ in range(7):
            budget.use("0.1")
    assert client.flush() == 0
    assert ledger.spent == Decimal("2.333334")


def test_a_known_run_with_the_same_cap_is_joined(client: xyra.Client, ledger: Ledger) -> None:
    with xyra.budget("run-7", credits=4) as first, xyra.budget("run-7", credits="4.0") as second:
        first.use(1)
        second.use(1)
    with pytest.raises(xyra.XyraError, match="without a budget of 5"), xyra.budget("run-7", credits=5):
        pytest.fail("it has another cap")
    assert client.flush() == 0
    assert (ledger.spent, len(ledger.runs)) == (2, 1)


@pytest.mark.parametrize(
    ("about", "given", "says"),
    [
        ({"currency": "EUR"}, {"usd": 1}, "counts in EUR"),
        ({"credit_value": None}, {"usd": 1}, "no value in money"),
        ({"credit_value": "0"}, {"usd": 1}, "no value in money"),
        ({}, {"amount": 1, "currency": "eur"}, "the budget in EUR"),
    ],
)
@pytest.mark.usefixtures("client")
def test_money_that_the_wallet_does_not_know_is_an_error_at_entry(
    ledger: Ledger, about: dict[str, Any], given: dict[str, Any], says: str
) -> None:
    for name, value in about.items():
        setattr(ledger, name, value)
    with pytest.raises(xyra.XyraError, match=says), xyra.budget("run-7", **given):
        pytest.fail("it was entered")
    assert ledger.runs == {}


@pytest.mark.usefixtures("client")
def test_a_cap_is_given_in_one_way() -> None:
    for wrong in ({}, {"usd": 1, "credits": 1}, {"amount": 1}, {"usd": 1, "currency": "USD"}):
        with pytest.raises(ValueError, match="give usd"):
            xyra.budget("run-7", **wrong)
    with pytest.raises(ValueError, match="allows nothing"):
        xyra.budget("run-7", usd=0)


def test_the_call_that_would_pass_the_cap_is_not_sent(
    client: xyra.Client, ledger: Ledger, provider: ProviderDouble, gpt: openai.OpenAI
) -> None:
    with xyra.budget("run-7", usd="2.00", max_cost="0.5"):
        for _ in range(4):
            ask(gpt)
        with pytest.raises(xyra.BudgetExceeded):
            ask(gpt)
        with pytest.raises(xyra.BudgetExceeded):
            ask(gpt.with_options(timeout=9), stream=True)
    assert len(provider.bodies) == 4
    ask(gpt)
    assert client.flush() == 0
    assert (ledger.spent, ledger.held) == (4, 0)


def test_without_a_max_cost_a_call_is_refused(
    client: xyra.Client, ledger: Ledger, provider: ProviderDouble, gpt: openai.OpenAI
) -> None:
    claude = xyra.wrap(anthropic.Anthropic(api_key="k", base_url=provider.base))
    with xyra.budget("run-7", usd="2.00"):
        with pytest.raises(xyra.BudgetExceeded, match="max_cost"):
            ask(gpt)
        with pytest.raises(xyra.BudgetExceeded, match="max_cost"):
            claude.messages.create(model="claude", messages=MESSAGES, max_tokens=10)
        assert provider.bodies == []
        with xyra.max_cost("0.1"):
            ask(gpt)
            claude.messages.create(model="claude", messages=MESSAGES, max_tokens=10)
    assert client.flush() == 0
    assert ledger.spent == Decimal("0.4")


async def test_async_calls(
    client: xyra.Client, ledger: Ledger, provider: ProviderDouble, gpt_async: openai.AsyncOpenAI
) -> None:
    async with xyra.budget("run-7", usd="2.00", max_cost="1") as budget:
        for _ in range(2):
            await gpt_async.chat.completions.create(model="gpt-5", messages=MESSAGES)
        with pytest.raises(xyra.BudgetExceeded):
            await gpt_async.chat.completions.create(model="gpt-5", messages=MESSAGES)
        with pytest.raises(xyra.BudgetExceeded):
            await budget.use_async("0.01")
    assert len(provider.bodies) == 2
    assert client.flush() == 0
    assert (ledger.spent, ledger.held) == (4, 0)


def test_a_call_that_the_model_refuses_costs_nothing(client: xyra.Client, ledger: Ledger, gpt: openai.OpenAI) -> None:
    nowhere = xyra.wrap(openai.OpenAI(api_key="k", base_url="http://127.0.0.1:9/v1", max_retries=0))
    with xyra.budget("run-7", usd="2.00", max_cost="1") as budget:
        for _ in range(5):
            with pytest.raises(openai.BadRequestError):
                ask(gpt, "error")
            with pytest.raises(openai.APIConnectionError):
                ask(nowhere)
        assert budget.spent == 0
    assert client.flush() == 0
    assert (ledger.spent, ledger.held) == (0, 0)


def test_what_calls_came_to_can_be_said_and_the_rest_returns(
    client: xyra.Client, ledger: Ledger, gpt: openai.OpenAI, caplog: pytest.LogCaptureFixture
) -> None:
    with xyra.budget("run-7", usd="2.00", max_cost="1") as budget:
        for _ in range(10):
            with xyra.max_cost("0.5") as cost:
                ask(gpt)
                cost.use("0.05")
        assert budget.spent == Decimal("0.5")
        with xyra.max_cost("0.5") as cost:
            ask(gpt)
            ask(gpt)
            cost.use("0.6")
        assert budget.spent == Decimal("1.1")
        with xyra.max_cost("0.2"):
            ask(gpt)
        assert budget.spent == Decimal("1.3")
        with xyra.max_cost("0.2") as cost:
            ask(gpt)
            cost.use("0.3")
        assert budget.spent == Decimal("1.6")
        assert "0.1 more than their max_cost" in caplog.text
        with xyra.max_cost("0.2") as cost:
            cost.use("0.2")
        assert budget.spent == Decimal("1.8")
    assert client.flush() == 0
    assert (ledger.spent, ledger.held) == (Decimal("3.6"), 0)


def test_nested_runs_are_paid_by_the_budget_around_them(
    client: xyra.Client, ledger: Ledger, gpt: openai.OpenAI
) -> None:
    with xyra.budget("run-7", usd="2.00", max_cost="0.1"), xyra.run("inner", agent="writer"):
        ask(gpt)
    assert client.flush() == 0
    assert ledger.spent == Decimal("0.2")
    (events,) = (asked.json["events"] for asked in ledger.requests("/events"))
    assert [(event["run"], event["agent"]) for event in events] == [("inner", "writer")]


def test_a_run_that_fails_says_so(client: xyra.Client, ledger: Ledger) -> None:
    budget = xyra.budget("run-7", credits=4)

    def work() -> None:
        with budget:
            budget.use(1)
            raise LookupError("no such ticket")

    with pytest.raises(LookupError):
        work()
    assert client.flush() == 0
    assert [(end["status"], end["error"]) for end in ledger.ends] == [("failed", "no such ticket")]
    assert ledger.spent == 1
    with pytest.raises(xyra.BudgetExceeded):
        budget.use(1)


def test_entering_out_of_reach_is_an_error(client: xyra.Client, ledger: Ledger) -> None:
    ledger.is_down = True
    with pytest.raises(xyra.Unreachable), xyra.budget("run-7", credits=4):
        pytest.fail("it was entered")
    ledger.is_down = False
    assert client.flush() == 0
    assert ledger.runs == {}


def test_what_is_spent_is_told_by_totals(client: xyra.Client, ledger: Ledger) -> None:
    with xyra.budget("run-7", credits=4) as budget:
        budget.use("1.5")
    assert client.flush() == 0
    assert ledger.requests("/settle")[-1].json == {"total": "1.500000", "final": True}
