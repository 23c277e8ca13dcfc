"""Documents as PDF/A-3b, by Typst: it lays out what it is given as JSON, in a thread, and can reach nothing else."""

import base64
import io
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from shared.adapters.typst.printable_text import FONTS, families, plain, printable
from shared.domain.billing.printed_documents import PrintedDocument, PrintedGroup, PrintedLine
from shared.one_at_a_time import OneAtATime
from shared.templates.rendering import source

if TYPE_CHECKING:
    import typst

LINES_PER_PART = 1000
"""Typst holds a whole document in memory, 130 MB for these: what is longer is printed in parts, which are joined."""
_KEPT_COMPILATIONS = 10
"""For how many compilations Typst keeps what it laid out, in case that it comes again."""
_LARGE = 100
"""Lines from which on that is forgotten at once: else ten such documents would lie in memory."""
MOST_WAITING = 16
_STANDARD: Final = "a-3b"
_FORMATS = {"image/png": "png", "image/svg+xml": "svg"}
_LOGO_TEMPLATE = "#image(bytes(json(bytes(sys.inputs.logo)).bytes), format: json(bytes(sys.inputs.logo)).format)"

Written = Callable[[str], str]


class TypstPrinter:
    """Prints one document at a time. Fonts and compiler are loaded with the first one."""

    def __init__(self) -> None:
        self._thread = OneAtATime("printing", MOST_WAITING)

    async def pdf(self, document: PrintedDocument) -> bytes:
        """Raises `UnavailableError` where too many wait."""
        return await self._thread.run(lambda: print_document(document))

    async def can_print(self, media_type: str, content: bytes) -> bool:
        """Raises `UnavailableError` where too many wait."""
        return await self._thread.run(lambda: _is_printable_logo(media_type, content))

    def close(self) -> None:
        """Begin nothing more."""
        self._thread.close()


def print_document(document: PrintedDocument) -> bytes:
    """The PDF. Where its text cannot be set together, as no font has such a cluster, it is set letter by letter."""
    import typst  # noqa: PLC0415  80 MB, of use only to whoever prints

    try:
        return _printed(document, printable)
    except typst.TypstError:
        return _printed(document, plain)


def _printed(document: PrintedDocument, written: Written) -> bytes:
    parts = list(_parts(document.groups))
    if len(parts) == 1:
        return _compiled(document, _Part(parts[0], is_first=True, is_last=True), written)
    last = len(parts) - 1
    shown = (_Part(groups, is_first=place == 0, is_last=place == last) for place, groups in enumerate(parts))
    return _joined((_compiled(document, part, written) for part in shown), lambda pages: _labels(document, pages))


@dataclass(frozen=True, slots=True)
class _Part:
    """Some of the lines, and where in the document they stand."""

    groups: Sequence[PrintedGroup]
    is_first: bool
    is_last: bool


def _parts(groups: Sequence[PrintedGroup]) -> Iterator[list[PrintedGroup]]:
    """The groups in parts of at most `LINES_PER_PART` lines. A group that goes on says its sum where it ends."""
    part: list[PrintedGroup] = []
    room = LINES_PER_PART
    for group in groups:
        lines, title = group.lines, group.title
        while len(lines) > room:
            if room:
                part.append(PrintedGroup(lines[:room], title))
                title = ""
            yield part
            lines, part, room = lines[room:], [], LINES_PER_PART
        part.append(replace(group, lines=lines, title=title))
        room -= len(lines)
    yield part


def _compiled(document: PrintedDocument, part: _Part, written: Written) -> bytes:
    shown = asdict(replace(document, groups=(), logo=None))
    shown["issued_at"] = None
    logo = None
    if document.logo is not None:
        logo = _logo(document.logo.media_type, base64.b64decode(document.logo.data))
    groups = [_group(group) for group in part.groups]
    places = {"is_first": part.is_first, "is_last": part.is_last}
    fields = {**places, "groups": groups, "logo": logo, "fonts": families()}
    inputs = {"document": {**shown, "logo": None if logo is None else ""}, "part": fields}
    texts = {name: _json(value, written) for name, value in inputs.items()}
    pdf = _compile(source("documents/document.typ"), texts, document.issued_at)
    if sum(len(group.lines) for group in part.groups) > _LARGE:
        _forget(document.issued_at)
    return pdf


def _forget(issued_at: datetime) -> None:
    """Make Typst let go of what it laid out, which it does by counting compilations: these are of nothing."""
    for _ in range(_KEPT_COMPILATIONS + 1):
        _compile("", {}, issued_at)


def _compile(template: str, inputs: Mapping[str, str], issued_at: datetime) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of texts that are set in another font than the first
        pdf = _compiler().compile(
            template.encode(),
            sys_inputs=dict(inputs),
            format="pdf",
            pdf_standards=[_STANDARD],
            timestamp=int(issued_at.timestamp()),
            pdf_tags=False,
        )
    assert isinstance(pdf, bytes), "one file, as nothing else is asked for"  # noqa: S101  narrows
    return pdf


def _group(group: PrintedGroup) -> dict[str, Any]:
    return {"title": group.title, "subtotal": group.subtotal, "lines": [_line(line) for line in group.lines]}


def _line(line: PrintedLine) -> dict[str, Any]:
    return {
        "description": line.description,
        "notes": line.notes,
        "quantity": line.quantity,
        "unit_price": line.unit_price,
        "tax": line.tax,
        "amount": line.amount,
    }


def _logo(media_type: str, content: bytes) -> dict[str, Any]:
    """As numbers: Typst reads no base64, and a file would need a folder."""
    return {"format": _FORMATS[media_type], "bytes": list(content)}


def _json(value: object, written: Written) -> str:
    return json.dumps(_written(value, written), ensure_ascii=False, separators=(",", ":"))


def _written(value: Any, written: Written) -> Any:  # noqa: ANN401  JSON
    """The same with every text as it can be printed."""
    if isinstance(value, str):
        return written(value)
    if isinstance(value, dict):
        return {name: _written(part, written) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return value if value and isinstance(value[0], int) else [_written(part, written) for part in value]
    return value


@cache
def _fonts() -> "typst.Fonts":
    import typst  # noqa: PLC0415  as above

    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[FONTS])


@cache
def _compiler() -> "typst.Compiler":
    """One whose root holds nothing but fonts, and that has no packages: nothing else can be read."""
    import typst  # noqa: PLC0415  as above

    none = FONTS / "none"
    return typst.Compiler(root=FONTS, font_paths=_fonts(), package_path=none, package_cache_path=none)


def _is_printable_logo(media_type: str, content: bytes) -> bool:
    import typst  # noqa: PLC0415  as above

    logo = json.dumps(_logo(media_type, content))
    try:
        _compile(_LOGO_TEMPLATE, {"logo": logo}, datetime.fromisoformat("2026-01-01T00:00:00Z"))
    except typst.TypstError:
        return False
    return True


def _labels(document: PrintedDocument, pages: int) -> bytes:
    """So many pages with nothing but their numbers."""
    inputs = {
        "document": {"page_label": document.page_label, "language": document.language},
        "part": {"pages": pages, "fonts": families()},
    }
    texts = {name: json.dumps(value, ensure_ascii=False) for name, value in inputs.items()}
    return _compile(source("documents/page_labels.typ"), texts, document.issued_at)


def _joined(pdfs: Iterator[bytes], labels: Callable[[int], bytes]) -> bytes:
    """One file of all of them, its pages numbered. What makes it PDF/A (output intent, metadata) is the first one's."""
    from pypdf import PdfReader, PdfWriter  # noqa: PLC0415  of use only for long documents

    joined = PdfWriter(clone_from=io.BytesIO(next(pdfs)))
    for pdf in pdfs:
        joined.append(io.BytesIO(pdf), import_outline=False)
    for page, label in zip(joined.pages, PdfReader(io.BytesIO(labels(len(joined.pages)))).pages, strict=True):
        page.merge_page(label)
        page.compress_content_streams()  # which merging has unpacked
    written = io.BytesIO()
    joined.write(written)
    return written.getvalue()
