"""JSON as it is taken in and given out again."""

from decimal import Decimal

import pytest

from shared import json
from shared.domain.kernel.errors import MalformedError, ValidationError
from shared.domain.kernel.money import plain


@pytest.mark.parametrize(
    "text", ["0.1", "-0.10", "1.7976931348623157E+308", "5E-324", "1E-400", "9.99E+400", "12345678901234567890123"]
)
def test_a_number_comes_out_as_it_came_in(text: str) -> None:
    assert json.encode_verbatim(json.decode(text)) == text.encode()
    assert len(plain(Decimal(json.decode(text)))) < 500


@pytest.mark.parametrize("text", ["1e401", "-1E+401", "1e-401", "0e500", "1e99999999999999999999"])
def test_a_number_beyond_all_bounds_is_refused(text: str) -> None:
    for decode in (json.decode, json.decode_request):
        with pytest.raises(ValidationError) as refusal:
            decode(f'{{"a": [0.5, {{"b/c": {text}}}], "d": NaN}}'.encode())
        assert [(place.pointer, place.detail) for place in refusal.value.errors] == [
            ("/a/1/b~1c", "is beyond 1e400 or 1e-400"),
            ("/d", "is not a number"),
        ]


@pytest.mark.parametrize("text", ["[" * 900 + "1e401" + "]" * 900, "[1e401", '[1e401, "\\ud800'])
def test_what_cannot_be_read_to_its_end_is_malformed(text: str) -> None:
    with pytest.raises(MalformedError):
        json.decode(text)


def test_what_is_stored_may_have_longer_numbers_than_a_request() -> None:
    long = "0." + "1" * (json.MAXIMUM_STORED_NUMBER - 2)
    assert json.decode(long) == Decimal(long)
    assert json.decode("1" * 4_000) == int("1" * 4_000)
    for text, decode in [("1" * 5_000, json.decode), (f"{long}1", json.decode), (long, json.decode_request)]:
        with pytest.raises(ValidationError, match="numbers that cannot be read") as refusal:
            decode(f'{{"a": {text}}}'.encode())
        assert "send it with fewer digits" in refusal.value.errors[0].detail
