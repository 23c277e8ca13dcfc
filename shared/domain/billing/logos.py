"""Logos: small pictures that bring all they show with them, and load and run nothing."""

import re
import struct
from typing import Final
from xml.parsers import expat

from shared.domain.kernel.errors import ValidationError

MAXIMUM_BYTES = 40 * 1024
MAXIMUM_SIDE = 2000
"""Pixels of a PNG: a small file can unpack to gigabytes."""
MAXIMUM_ELEMENTS = 2000
MAXIMUM_DEPTH = 20
POINTER = "/logo/data"

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_NAMESPACE = "http://www.w3.org/2000/svg"
_ELEMENTS = frozenset(
    {
        *("svg", "g", "defs", "title", "desc", "clipPath", "linearGradient", "radialGradient", "stop"),
        *("path", "rect", "circle", "ellipse", "line", "polyline", "polygon"),
    }
)
"""Shapes and their fillings. Nothing here repeats other elements, so that few bytes cannot draw millions of them."""
_IN_ELEMENTS_OF_OTHERS = "|"
_FOREIGN_URL = re.compile(r"url\((?!#)", re.IGNORECASE)
_LOADING = re.compile(r"@import|expression\(|javascript:|\\", re.IGNORECASE)
_CLIP = "clipPath"
_CLIPPED = re.compile("clip-path", re.IGNORECASE)


def check_png(content: bytes) -> None:
    """Raises `ValidationError` for what is no PNG, or has more than `MAXIMUM_SIDE` pixels on a side."""
    header = content[: len(_PNG) + 16]
    if not header.startswith(_PNG) or header[12:16] != b"IHDR" or len(header) < len(_PNG) + 16:
        raise ValidationError.at(POINTER, "is no PNG file in base64")
    width, height = struct.unpack(">II", header[16:24])
    if not (0 < width <= MAXIMUM_SIDE and 0 < height <= MAXIMUM_SIDE):
        raise ValidationError.at(POINTER, f"has {width} x {height} pixels; at most {MAXIMUM_SIDE} on a side")


def check_svg(content: bytes) -> None:
    """Raises `ValidationError` for what is no SVG of shapes alone, without text, scripts, styles, links or pictures."""
    reader = _SvgReader()
    try:
        reader.parser.Parse(content, True)  # noqa: FBT003  expat takes it by place
    except expat.ExpatError:
        raise ValidationError.at(POINTER, "is no well-formed XML in base64") from None
    if reader.root != "svg":
        raise ValidationError.at(POINTER, f"has no root element svg of {_NAMESPACE}")


class _SvgReader:
    """Looks at each element as it is read, before anything is made of it."""

    def __init__(self) -> None:
        self.root: str | None = None
        self._elements = 0
        self._depth = 0
        self._clips = 0
        """How many clip paths the present element is in, itself included."""
        self.parser = expat.ParserCreate(namespace_separator=_IN_ELEMENTS_OF_OTHERS)
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._begin
        self.parser.EndElementHandler = self._end
        self.parser.ProcessingInstructionHandler = self._instruction

    def _doctype(self, *_: object) -> None:
        raise ValidationError.at(POINTER, "has a DOCTYPE; leave it out")

    def _instruction(self, *_: object) -> None:
        raise ValidationError.at(POINTER, "has a processing instruction; leave it out")

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(_IN_ELEMENTS_OF_OTHERS)
        self.root = self.root or (local if namespace == _NAMESPACE else "")
        self._elements += 1
        self._depth += 1
        if self._elements > MAXIMUM_ELEMENTS or self._depth > MAXIMUM_DEPTH:
            raise ValidationError.at(POINTER, f"has over {MAXIMUM_ELEMENTS} elements, or {MAXIMUM_DEPTH} in each other")
        if namespace != _NAMESPACE or local not in _ELEMENTS:
            raise ValidationError.at(POINTER, f"has an element {local}; only shapes and gradients are taken")
        self._clips += local == _CLIP
        for attribute, value in attributes.items():
            name = attribute.rpartition(_IN_ELEMENTS_OF_OTHERS)[2]
            _check_attribute(name, value)
            if self._clips and (_CLIPPED.search(name) or _CLIPPED.search(value)):
                # Ten of these, each with ten parts that the next one clips, would be drawn for longer than one waits.
                raise ValidationError.at(POINTER, "has a clip path that is clipped by another; join the two")

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._clips -= name.rpartition(_IN_ELEMENTS_OF_OTHERS)[2] == _CLIP


def _check_attribute(name: str, value: str) -> None:
    lowered = name.lower()
    if lowered.startswith("on"):
        raise ValidationError.at(POINTER, f"has a script in {name}")
    if lowered in ("href", "src") and not value.startswith("#"):
        raise ValidationError.at(POINTER, f"has a link in {name}; everything has to be in the file")
    if _FOREIGN_URL.search(value) or _LOADING.search(value):
        raise ValidationError.at(POINTER, f"loads something in {name}; everything has to be in the file")
