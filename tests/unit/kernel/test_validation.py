import pydantic
import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter

from shared.domain.kernel.errors import MAXIMUM_ERRORS
from shared.domain.kernel.validation import pointer, validation_error
from shared.domain.pricing.charges import AnyCharge


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid")

    charges: tuple[AnyCharge, ...] = ()
    by_name: dict[str, int] = {}
    limit: int = 1


def places(value: object, prefix: str = "") -> list[str]:
    with pytest.raises(pydantic.ValidationError) as refused:
        Form.model_validate(value)
    return [error.pointer for error in validation_error(refused.value, prefix).errors]


def test_places_are_those_of_the_input_without_the_tags_of_unions():
    charge = {
        "key": "a",
        "type": "activity",
        "meter": {"event_type": "x"},
        "pricing": {"type": "per_unit", "unit_amount": "-1"},
    }
    assert places({"charges": [charge]}) == ["/charges/0/pricing/unit_amount"]


@pytest.mark.parametrize("charge", [{"key": "a", "type": "lottery"}, {"key": "a"}])
def test_an_unknown_or_missing_type_is_named(charge):
    assert places({"charges": [charge]}) == ["/charges/0/type"]


def test_what_is_no_object_is_named_itself():
    assert places({"charges": ["activity"]}) == ["/charges/0"]
    assert places([]) == [""]


def test_names_are_escaped():
    assert places({"by_name": {"a/b~c": "x"}}) == ["/by_name/a~1b~0c"]


def test_a_prefix_is_the_place_of_what_was_validated():
    assert places({"limit": "x"}, prefix="/model") == ["/model/limit"]
    assert places({"limit": "x"}, prefix="?") == ["?limit"]


def test_the_detail_says_where_and_what():
    with pytest.raises(pydantic.ValidationError) as refused:
        TypeAdapter(tuple[AnyCharge, ...]).validate_python([{"key": "a", "type": "flat_fee", "amount": "NaN"}])
    error = validation_error(refused.value)
    assert error.detail == "/0/amount: is not a decimal number"
    assert error.errors[0].detail == "is not a decimal number"


def test_a_long_list_of_errors_is_cut():
    with pytest.raises(pydantic.ValidationError) as refused:
        Form.model_validate({"by_name": {str(number): "x" for number in range(MAXIMUM_ERRORS + 50)}})
    error = validation_error(refused.value)
    assert len(error.errors) == MAXIMUM_ERRORS
    assert str(MAXIMUM_ERRORS + 50) in error.detail


def test_a_pointer_follows_rfc_6901():
    assert pointer(("charges", 0, "a/b")) == "/charges/0/a~1b"
    assert pointer(()) == ""
