"""docs/charges.md has the figures of the code, and all that a charge can be."""

from pydantic import TypeAdapter

from shared.domain.pricing.charges import AnyCharge
from shared.domain.pricing.rules import Pricing
from tools.worked_examples import CHARGES, MODIFIERS, PAGE, PRICINGS, page


def types_of(union: object) -> set[str]:
    return set(TypeAdapter(union).json_schema()["discriminator"]["mapping"])


def test_the_page_is_what_the_code_makes_of_it() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_every_charge_and_every_pricing_has_an_example() -> None:
    assert {example.charge["type"] for example in CHARGES} == types_of(AnyCharge)
    assert {example.charge["pricing"]["type"] for example in PRICINGS} == types_of(Pricing)


def test_every_modifier_shows_in_the_steps_of_an_example() -> None:
    kinds = {
        step.kind
        for example in (*CHARGES, *PRICINGS, *MODIFIERS)
        for line in example.calculated().lines
        for step in line.steps
    }
    assert kinds >= {"base_fee", "minimum", "maximum", "discount", "overage", "premium", "bonus", "tier", "package"}
