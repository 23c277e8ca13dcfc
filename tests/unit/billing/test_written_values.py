"""Numbers and dates in the languages of documents."""

from datetime import date
from decimal import Decimal
from string import Formatter

import pytest

from shared.domain.billing.words import WORDS
from shared.domain.billing.written_values import Writer
from shared.domain.tenancy.billing_details import Language

SPACE, NARROW = "\u00a0", "\u202f"


@pytest.mark.parametrize(
    ("language", "amount", "percent", "day"),
    [
        ("en", "-1,234,567.50", "8.875%", "1 March 2026"),
        ("de", "-1.234.567,50", f"8,875{SPACE}%", "1. März 2026"),
        ("fr", f"-1{NARROW}234{NARROW}567,50", f"8,875{SPACE}%", "1er mars 2026"),
        ("es", "-1.234.567,50", f"8,875{SPACE}%", "1 de marzo de 2026"),
    ],
)
def test_each_language_writes_as_its_readers_expect(language: Language, amount: str, percent: str, day: str) -> None:
    writer = Writer(language)
    assert writer.amount(Decimal("-1234567.50")) == amount
    assert writer.percent(Decimal("8.875")) == percent
    assert writer.day(date(2026, 3, 1)) == day


def test_a_span_says_its_year_once_where_it_can() -> None:
    october = date(2026, 10, 1), date(2026, 10, 31)
    assert Writer("es").days(*october) == "1 de octubre \u2013 31 de octubre de 2026"
    assert Writer("en").days(date(2026, 12, 15), date(2027, 1, 14)) == "15 December 2026 \u2013 14 January 2027"
    assert Writer("fr").days(date(2026, 10, 1), date(2026, 10, 1)) == "1er octobre 2026"


def test_all_places_of_an_amount_stay_and_zeros_of_a_number_go() -> None:
    writer = Writer("en")
    assert (writer.amount(Decimal("0.00")), writer.amount(Decimal("12.000")), writer.amount(Decimal(999))) == (
        "0.00",
        "12.000",
        "999",
    )
    assert (writer.number(Decimal("1000.500")), writer.number(Decimal("-0.01"))) == ("1,000.5", "-0.01")


def test_every_word_is_in_every_language_with_the_same_blanks() -> None:
    names = set(WORDS["en"])
    for language, words in WORDS.items():
        assert set(words) == names, language
        for name, word in words.items():
            assert blanks(word) == blanks(WORDS["en"][name]), (language, name)


def blanks(word: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(word) if name}
