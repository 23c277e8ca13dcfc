"""Text that the fonts can print: characters that none of them has are replaced, and none that steers is left."""

import json
import re
import unicodedata
from bisect import bisect_right
from functools import cache
from pathlib import Path

from shared import templates

FONTS = Path(templates.__file__).parent / "fonts"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_BREAK = "\u200b"
_LONG_WORD = re.compile(rf"[^\s{_BREAK}]{{30}}(?=[^\s])")
"""So many characters without a space: a line may end behind them, as they would run over the next column."""
_JOINERS = frozenset("\u200c\u200d")
"""Which letters of Arabic and Indic scripts are joined by."""
_LAST_OF_ALPHABETS = 0x052F
"""The last character of Cyrillic: up to it a character is a letter by itself."""


def printable(text: str) -> str:
    """The text in composed form, with what cannot be printed replaced, and places where long words may break.

    Line ends stay. Other control characters become spaces; those that change directions or are invisible are left out.
    """
    kept = "".join(_printable_character(character) for character in unicodedata.normalize("NFC", text))
    return _LONG_WORD.sub(lambda word: f"{word[0]}{_BREAK}", kept)


def plain(text: str) -> str:
    """The text with everything replaced that is more than a letter or a sign of Latin, Greek or Cyrillic."""
    return "".join(
        character
        if character in (REPLACEMENT, _BREAK)
        or (ord(character) <= _LAST_OF_ALPHABETS and not unicodedata.combining(character))
        else REPLACEMENT
        for character in printable(text)
    )


def is_covered(character: str) -> bool:
    """Whether one of the fonts has it."""
    starts, ends = _coverage()
    place = bisect_right(starts, ord(character)) - 1
    return place >= 0 and ord(character) <= ends[place]


def families() -> list[str]:
    """The families of the fonts, in the order in which they are asked for a character."""
    return list(_index()["families"])


def _printable_character(character: str) -> str:
    if character == "\n":
        return character
    category = unicodedata.category(character)
    if category in ("Cc", "Zl", "Zp"):
        return " "
    if category == "Cf" and character not in _JOINERS:
        return ""
    return character if is_covered(character) else REPLACEMENT


@cache
def _coverage() -> tuple[list[int], list[int]]:
    ranges = _index()["ranges"]
    return [start for start, _ in ranges], [end for _, end in ranges]


@cache
def _index() -> dict[str, list]:  # type: ignore[type-arg]
    """What `tools/fonts.py` has read from the fonts."""
    index: dict[str, list] = json.loads((FONTS / "coverage.json").read_text(encoding="utf-8"))  # type: ignore[type-arg]
    return index
