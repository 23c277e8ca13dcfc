"""Aliases: which one a call's name has, at the call's time and for its organization."""

from datetime import UTC, datetime

import pytest

from shared.adapters.price_list.genai_prices import PackagedPriceList
from shared.domain.kernel.histories import History
from shared.domain.provider_costs.findings import Unpriced
from shared.domain.provider_costs.llm_prices import ModelPrices, PriceOverride, Prices, override_id
from shared.domain.provider_costs.model_aliases import AliasLookup, ModelAlias, alias_id
from shared.domain.provider_costs.model_names import MAXIMUM_NAME, ModelName
from shared.domain.provider_costs.price_lookup import EffectivePrices, LlmPrices

OCTOBER, NOVEMBER, DECEMBER = (datetime(2026, month, 1, tzinfo=UTC) for month in (10, 11, 12))
LIST = PackagedPriceList()


def alias(
    model: str = "gpt-5",
    start: datetime = OCTOBER,
    organization_id: str | None = None,
    provider: str = "azure",
    name: str = "helpdesk",
) -> ModelAlias:
    return ModelAlias(
        id=alias_id(provider, name, start, organization_id),
        provider=provider,
        name=name,
        model=model,
        effective_from=start,
        organization_id=organization_id,
    )


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("azure", "helpdesk"),
        ("Azure", "HelpDesk"),
        ("azure_ai", "helpdesk"),
        ("az.ai.inference", "helpdesk"),
        (None, "azure/helpdesk"),
        ("azure", "models/helpdesk"),
    ],
)
def test_a_call_may_write_the_name_in_all_ways_in_which_models_are_named(provider: str | None, model: str) -> None:
    found = AliasLookup([alias()]).at(provider, model, NOVEMBER, "org_1")
    assert found is not None
    assert found.model == "gpt-5"


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "helpdesk"), (None, "helpdesk"), ("azure", "helpdesk-2"), ("azure", "x" * (MAXIMUM_NAME + 1))],
)
def test_other_names_have_no_alias(provider: str | None, model: str) -> None:
    assert AliasLookup([alias()]).at(provider, model, NOVEMBER, "org_1") is None


def test_the_latest_that_has_begun_holds_and_an_organizations_own_before_that_for_all() -> None:
    lookup = AliasLookup(
        [alias("first"), alias("second", NOVEMBER), alias("own", NOVEMBER, "org_1"), alias("others", OCTOBER, "org_2")]
    )

    def models(organization_id: str | None) -> list[str | None]:
        found = [lookup.at("azure", "helpdesk", time, organization_id) for time in (OCTOBER, NOVEMBER, DECEMBER)]
        return [None if each is None else each.model for each in found]

    assert models("org_1") == ["first", "own", "own"]
    assert models("org_2") == ["others", "others", "others"]
    assert models("org_3") == models(None) == ["first", "second", "second"]
    assert lookup.at("azure", "helpdesk", datetime(2026, 9, 30, tzinfo=UTC), "org_1") is None


def priced_by(prices: LlmPrices, time: datetime = NOVEMBER) -> tuple[str, str] | str:
    found = prices.at("azure", "helpdesk", time, "org_1")
    return (found.model.name, found.source) if isinstance(found, EffectivePrices) else found.reason


def override(provider: str | None, model: str) -> PriceOverride:
    prices: Prices = ModelPrices.model_validate({"input": "1", "output": "1"})
    history = History[Prices | None].starting(prices, at=OCTOBER)
    return PriceOverride(id=override_id(ModelName(provider, model)), provider=provider, model=model, prices=history)


def test_the_model_is_looked_up_at_the_provider_and_then_anywhere() -> None:
    assert priced_by(LlmPrices(LIST, (), [alias()])) == ("azure/gpt-5", "list")
    assert priced_by(LlmPrices(LIST, (), [alias("openai/gpt-5")])) == ("azure/gpt-5", "list")
    assert priced_by(LlmPrices(LIST, (), [alias("gemini-2.5-pro")]))[0] == "google/gemini-2.5-pro"
    assert priced_by(LlmPrices(LIST, [override("azure", "gpt-5")], [alias()])) == ("azure/gpt-5", "override")
    assert priced_by(LlmPrices(LIST, [override("azure", "helpdesk")], [alias()])) == ("azure/gpt-5", "list")
    assert priced_by(LlmPrices(LIST, [override(None, "our-own")], [alias("our-own")])) == ("our-own", "override")


def test_an_alias_of_a_model_without_a_price_says_which() -> None:
    prices = LlmPrices(LIST, (), [alias("nobody-knows-it"), alias("helpdesk", name="nobody-knows-it")])
    found = prices.at("azure", "helpdesk", NOVEMBER, None)
    assert isinstance(found, Unpriced), "an alias of an alias is none"
    assert found.detail == "helpdesk is nobody-knows-it, which is on no price list, and has no override"
