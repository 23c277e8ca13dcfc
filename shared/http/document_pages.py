"""Documents as pages: the same texts as on paper, escaped, in the language of the customer."""

from collections.abc import Mapping
from functools import cache

from markupsafe import Markup

from shared.domain.billing.printed_documents import PrintedDocument, PrintedGroup
from shared.domain.billing.written_values import Writer
from shared.http.pages import digest
from shared.templates.rendering import source, template

_STEERING = dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
"""Characters that change the direction of what follows: left out, as on paper."""
MAXIMUM_LINES = 500
"""How many lines a page shows; all of them are in the file."""


@cache
def headers() -> Mapping[str, str]:
    """Of every such page: it runs and loads nothing, its logo is in it, and no other site learns its address."""
    return {
        "Content-Security-Policy": f"default-src 'none'; style-src '{digest(_style())}'; img-src data:;"
        " form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Robots-Tag": "noindex",
    }


def document_page(document: PrintedDocument, status: str, standing: tuple[tuple[str, str], ...], file: str) -> bytes:
    """The page. `status` is the document's now, `standing` what is open of it, `file` where its PDF is."""
    groups, left = _first_lines(document.groups)
    writer = Writer(document.language)
    shown = template("pages/document.html").render(
        document=document,
        groups=groups,
        more=writer.word("more_lines", count=writer.whole(left)) if left else "",
        status=status,
        status_label=writer.word(f"status_{status}"),
        standing=standing,
        file=file,
        download=writer.word("download"),
        style=_style(),
    )
    return shown.translate(_STEERING).encode()


def _first_lines(groups: tuple[PrintedGroup, ...]) -> tuple[list[PrintedGroup], int]:
    """The first lines in their groups, and how many there are besides."""
    room, shown = MAXIMUM_LINES, []
    for group in groups:
        if not room:
            break
        lines = group.lines[:room]
        is_whole = len(lines) == len(group.lines)
        shown.append(PrintedGroup(lines, group.title, group.subtotal if is_whole else ""))
        room -= len(lines)
    return shown, sum(len(group.lines) for group in groups) - (MAXIMUM_LINES - room)


@cache
def _style() -> Markup:
    return Markup(source("pages/document.css"))  # noqa: S704  a file of ours
