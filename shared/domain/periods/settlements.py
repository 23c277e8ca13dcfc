"""Settlements: whether a wallet or an invoice pays for the usage of a period, and what a credit is worth."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.money import NonNegativeAmount, exponent_of, plain
from shared.domain.kernel.validation import Length, pointer, refusal
from shared.domain.kernel.value import Value

BillingMode = Literal["postpaid", "prepaid"]

MAXIMUM_VALUES = 20
_CREDIT_PLACES = 6
_DEFAULT_KIND = "default"
_KIND = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def _other_kinds(values: dict[str, Decimal]) -> dict[str, Decimal]:
    for kind in values:
        if kind == _DEFAULT_KIND:
            raise ValueError("has the kind default: its value is credit_value")
        if not _KIND.fullmatch(kind):
            raise ValueError("has a kind that is not 1 to 40 small letters, digits and _ -, a letter or digit first")
    return values


CreditValues = Annotated[dict[str, NonNegativeAmount], Length(0, MAXIMUM_VALUES), AfterValidator(_other_kinds)]
"""What one credit is worth, by its kind."""


class Settlement(Value):
    """How an organization's usage is paid. It begins with a period, and a period keeps the one that it began with."""

    billing_mode: BillingMode = "postpaid"
    credit_value: NonNegativeAmount | None = None
    """What one credit of the kind `default` is worth, in the organization's currency: usage settles in that kind."""
    credit_values: CreditValues = {}
    """What one credit of other kinds is worth, by kind."""

    def value_of(self, kind: str) -> Decimal | None:
        """What one credit of a kind is worth; None where nobody has said."""
        return self.credit_value if kind == _DEFAULT_KIND else self.credit_values.get(kind)

    @model_validator(mode="after")
    def _has_a_value(self) -> Self:
        if self.billing_mode == "prepaid" and self.credit_value is None:
            raise refusal((("billing_mode",), "prepaid needs a credit_value: what one credit is worth in money"))
        return self

    @property
    def is_prepaid(self) -> bool:
        return self.billing_mode == "prepaid"


POSTPAID = Settlement()


def settled_by(
    billing_mode: BillingMode,
    credit_value: Decimal | None,
    currency: str,
    credit_values: Mapping[str, Decimal] | None = None,
) -> Settlement:
    """Raises `ValidationError` for a credit value that credits of six places cannot count out.

    Half a millionth of a credit has to stay below half a minor unit, so that an amount and its credits name each other.
    """
    if billing_mode == "prepaid" and credit_value is None:
        raise ValidationError.at("/billing_mode", "prepaid needs a credit_value: what one credit is worth in money")
    limit = Decimal(10) ** (_CREDIT_PLACES - exponent_of(currency))
    values = {"/credit_value": credit_value}
    values |= {pointer(("credit_values", kind)): value for kind, value in (credit_values or {}).items()}
    for place, value in values.items():
        if value is not None and not 0 < value < limit:
            raise ValidationError.at(place, f"has to be more than 0 and less than {plain(limit)} {currency}")
    return Settlement(billing_mode=billing_mode, credit_value=credit_value, credit_values=dict(credit_values or {}))
