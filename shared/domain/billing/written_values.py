"""Numbers, amounts and dates as each language of documents writes them."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from shared.domain.billing.words import WORDS
from shared.domain.kernel.money import as_written, plain
from shared.domain.tenancy.billing_details import Language

_MONTHS: dict[Language, tuple[str, ...]] = {
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    "de": (
        *("Januar", "Februar", "März", "April", "Mai", "Juni"),
        *("Juli", "August", "September", "Oktober", "November", "Dezember"),
    ),
    "fr": (
        *("janvier", "février", "mars", "avril", "mai", "juin"),
        *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    ),
    "es": (
        *("enero", "febrero", "marzo", "abril", "mayo", "junio"),
        *("julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"),
    ),
}
_NARROW_SPACE = "\u202f"
_NO_BREAK_SPACE = "\u00a0"
_SIGNS: dict[Language, tuple[str, str]] = {
    "en": (",", "."),
    "de": (".", ","),
    "fr": (_NARROW_SPACE, ","),
    "es": (".", ","),
}
"""Between thousands, and before decimals."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes in one language."""

    language: Language

    def word(self, name: str, /, **values: str) -> str:
        """The word of this name with values filled in."""
        return WORDS[self.language][name].format(**values)

    def amount(self, value: Decimal) -> str:
        """With all places that it has: `1,234.50`."""
        return self._signed(as_written(value))

    def number(self, value: Decimal) -> str:
        """Without trailing zeros: `1,234.5`."""
        return self._signed(plain(value))

    def whole(self, value: int) -> str:
        """`1,234`."""
        return self._signed(str(value))

    def percent(self, value: Decimal) -> str:
        """`19%`, and with a space before the sign in other languages."""
        return f"{self.number(value)}{'' if self.language == 'en' else _NO_BREAK_SPACE}%"

    def money(self, value: Decimal, currency: str) -> str:
        """An amount with its currency: `1,234.50 EUR`."""
        return f"{self.amount(value)}{_NO_BREAK_SPACE}{currency}"

    def day(self, day: date) -> str:
        """`1 December 2026`."""
        return f"{self._day_of_year(day)}{' de' if self.language == 'es' else ''} {day.year}"

    def days(self, first: date, last: date) -> str:
        """From one day to another, both inclusive; the year once, where it is the same."""
        if first == last:
            return self.day(first)
        begin = self._day_of_year(first) if first.year == last.year else self.day(first)
        return f"{begin} – {self.day(last)}"

    def _day_of_year(self, day: date) -> str:
        month = _MONTHS[self.language][day.month - 1]
        match self.language:
            case "de":
                return f"{day.day}. {month}"
            case "es":
                return f"{day.day} de {month}"
            case "fr":
                return f"{'1er' if day.day == 1 else day.day} {month}"
            case _:
                return f"{day.day} {month}"

    def _signed(self, text: str) -> str:
        thousands, point = _SIGNS[self.language]
        sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
        whole, _, decimals = digits.partition(".")
        grouped = f"{int(whole):,}".replace(",", thousands)
        return f"{sign}{grouped}{point}{decimals}" if decimals else f"{sign}{grouped}"
