"""Makes the fonts of printed documents: subsets of Noto, and what they cover.

    python -m tools.fonts FOLDER

The folder has the fonts of Debian's packages fonts-noto-core and fonts-noto-cjk, unpacked (`apt-get download`,
`dpkg-deb -x`). Their licence is the SIL Open Font License 1.1, which lets subsets be passed on under it.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

from shared.adapters.typst.printable_text import FONTS

_CJK = "NotoSansCJK-Regular.ttc"
_SIMPLIFIED_CHINESE = 2
"""The place of its font in the collection."""
_FONTS = (
    ("NotoSans-Regular.ttf", "Noto Sans"),
    ("NotoSans-Bold.ttf", "Noto Sans"),
    ("NotoSansArabic-Regular.ttf", "Noto Sans Arabic"),
    ("NotoSansHebrew-Regular.ttf", "Noto Sans Hebrew"),
    ("NotoSansDevanagari-Regular.ttf", "Noto Sans Devanagari"),
    (_CJK, "Noto Sans CJK SC"),
)
_ENCODINGS = ("gb2312", "big5", "shift_jis", "euc_kr")
"""The characters of everyday Chinese, Japanese and Korean."""


def main(folder: Path) -> None:
    covered: set[int] = set()
    for name, _ in _FONTS:
        source = next(folder.rglob(name))
        font = TTFont(source, fontNumber=_SIMPLIFIED_CHINESE if name == _CJK else -1)
        wanted = set(_of_east_asia()) if name == _CJK else set(font.getBestCmap())
        has = _subset(font, wanted)
        path = FONTS / name.replace(".ttc", ".otf")
        font.save(path)
        print(f"{path.name}: {path.stat().st_size:,} bytes, {len(has):,} characters")
        if not name.startswith("NotoSans-Bold"):
            covered |= has
    index = {"families": list(dict.fromkeys(family for _, family in _FONTS)), "ranges": list(_ranges(covered))}
    (FONTS / "coverage.json").write_text(f"{json.dumps(index)}\n", encoding="utf-8")


def _subset(font: TTFont, wanted: set[int]) -> set[int]:
    """Leave what these characters need. Which of them the font has."""
    options = subset.Options(layout_features=["*"], hinting=False, desubroutinize=False, notdef_outline=True)
    options.name_IDs = ["*"]
    options.drop_tables += ["DSIG", "meta"]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=wanted)
    subsetter.subset(font)
    return set(font.getBestCmap())


def _of_east_asia() -> Iterator[int]:
    for code in (*range(0x2E80, 0xA000), *range(0xAC00, 0xD7A4), *range(0xF900, 0xFB00), *range(0xFF00, 0xFFF0)):
        if any(_is_in(chr(code), encoding) for encoding in _ENCODINGS):
            yield code


def _is_in(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _ranges(codes: Iterable[int]) -> Iterator[tuple[int, int]]:
    start = end = -2
    for code in sorted(codes):
        if code != end + 1:
            if end >= 0:
                yield start, end
            start = code
        end = code
    if end >= 0:
        yield start, end


if __name__ == "__main__":
    FONTS.mkdir(exist_ok=True)
    main(Path(sys.argv[1]))
