"""Logos load and run nothing, and are small in memory, too."""

import struct
import zlib

import pytest

from shared.domain.billing.logos import MAXIMUM_SIDE, check_png, check_svg
from shared.domain.kernel.errors import ValidationError

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 10">{}</svg>'
RED_PIXEL = (b"\x00\xff\x00\x00", 1, 1)


def png(rows: bytes, width: int, height: int) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_shapes_and_gradients_are_taken() -> None:
    shapes = (
        '<defs><linearGradient id="g"><stop offset="0" stop-color="#f00"/></linearGradient></defs>'
        '<clipPath id="c"><circle cx="5" cy="5" r="4"/></clipPath>'
        '<g fill="url(#g)"><path d="M0 0h40v10z" clip-path="url(#c)"/><circle cx="5" cy="5" r="4"/></g>'
    )
    check_svg(SVG.format(shapes).encode())
    check_png(png(*RED_PIXEL))


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        '<path d="M0 0" onclick="alert(1)"/>',
        '<image href="https://example.com/a.png"/>',
        '<image href="data:image/png;base64,AAAA"/>',
        '<use href="#a"/>',
        '<path fill="url(https://example.com/#a)"/>',
        "<path fill=\"url( 'file:///etc/passwd')\"/>",
        '<path style="fill:ur\\6c(http://example.com)"/>',
        "<style>@import url(https://example.com)</style>",
        "<foreignObject/>",
        "<text>Hi</text>",
        '<a xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="https://example.com"/>',
        '<linearGradient xmlns:x="http://www.w3.org/1999/xlink" x:href="https://example.com"/>',
        '<p xmlns="http://www.w3.org/1999/xhtml"/>',
        '<clipPath id="a"><path clip-path="url(#b)"/><path clip-path="url(#b)"/></clipPath>',
        '<clipPath id="a" clip-path="url(#b)"><path/></clipPath>',
        '<clipPath id="a"><path style="Clip-Path: url(#b)"/></clipPath>',
        "<g>" * 30 + "</g>" * 30,
        "<path/>" * 3000,
        "<g>",
        "<?xml-stylesheet href='https://example.com/a.css'?>",
    ],
)
def test_what_loads_runs_or_grows_is_refused(inside: str) -> None:
    with pytest.raises(ValidationError):
        check_svg(SVG.format(inside).encode())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        b"<svg/>",
        b'<!DOCTYPE svg [<!ENTITY a "aaaa">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>',
        b'<html xmlns="http://www.w3.org/1999/xhtml"/>',
        b"\xff\xfe\x00",
    ],
)
def test_what_is_no_svg_of_its_own_is_refused(content: bytes) -> None:
    with pytest.raises(ValidationError):
        check_svg(content)


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", png(*RED_PIXEL)[:20], png(b"", MAXIMUM_SIDE + 1, 1), png(b"", 0, 1)]
)
def test_what_is_no_small_png_is_refused(content: bytes) -> None:
    with pytest.raises(ValidationError):
        check_png(content)
