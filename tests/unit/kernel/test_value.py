"""Values are described field by field, and refuse what they do not know."""

from typing import Generic, TypeVar

import pydantic
import pytest
from pydantic import Field

from shared.domain.kernel.value import Value

T = TypeVar("T")


class Price(Value):
    amount: int
    """The price of one unit."""
    note: str = ""


class TieredPrice(Price):
    lower: int = Field(default=0, alias="from")
    """The lower bound of the tier,
    exclusive.
    """


def test_the_docstring_under_a_field_describes_it_also_where_it_is_inherited_or_has_an_alias() -> None:
    properties = TieredPrice.model_json_schema()["properties"]
    assert properties["amount"]["description"] == "The price of one unit."
    assert properties["from"]["description"] == "The lower bound of the tier,\nexclusive."
    assert "description" not in properties["note"]


class Dated(Value, Generic[T]):
    value: T
    """What is in force from that day on."""


def test_a_generic_value_is_described_as_any() -> None:
    assert Dated[int].model_json_schema()["properties"]["value"]["description"] == "What is in force from that day on."


def test_an_unknown_field_is_refused_and_none_is_changed() -> None:
    with pytest.raises(pydantic.ValidationError):
        Price.model_validate({"amount": 1, "currency": "USD"})
    price = Price(amount=1)
    with pytest.raises(pydantic.ValidationError):
        price.amount = 2  # type: ignore[misc]
