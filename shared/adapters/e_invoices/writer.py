"""Electronic invoices by `facturx`, in a thread: valid by the XSD, or an error. It is imported with the first one."""

import io
from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from shared.adapters.e_invoices.terms import legal_text, terms
from shared.domain.billing.e_invoices import EInvoice
from shared.domain.tenancy.billing_details import EInvoiceFormat
from shared.one_at_a_time import OneAtATime

if TYPE_CHECKING:
    from pypdf import PdfWriter
    from pypdf.generic import IndirectObject

MOST_WAITING = 16
FILE_NAME = "factur-x.xml"
_LEVEL = "en16931"
_NAMESPACE = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_PROCESS = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
"""BT-23 of Peppol and XRechnung."""
_CORE = "urn:cen.eu:en16931:2017#compliant#"
_SPECIFICATIONS: Mapping[EInvoiceFormat, tuple[str, str]] = {
    "xrechnung": (
        "{*}ExchangedDocumentContext/{*}GuidelineSpecifiedDocumentContextParameter/{*}ID",
        f"{_CORE}urn:xeinkauf.de:kosit:xrechnung_3.0",
    ),
    "peppol": ("{*}CustomizationID", f"{_CORE}urn:fdc:peppol.eu:2017:poacc:billing:3.0"),
}
"""Where BT-24 stands, and what it is."""
_PACKET = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n{xmp}\n<?xpacket end="w"?>'


class FacturXWriter:
    """Writes one document at a time."""

    def __init__(self) -> None:
        self._thread = OneAtATime("e-invoices", MOST_WAITING)

    async def xml(self, e_invoice: EInvoice, wanted: EInvoiceFormat) -> bytes:
        """Raises `UnavailableError` where too many wait."""
        return await self._thread.run(lambda: write_xml(e_invoice, wanted))

    async def embedded(self, pdf: bytes, xml: bytes, e_invoice: EInvoice, title: str) -> bytes:
        """Raises `UnavailableError` where too many wait."""
        return await self._thread.run(lambda: embed(pdf, xml, e_invoice, title))

    def close(self) -> None:
        """Begin nothing more."""
        self._thread.close()


def write_xml(e_invoice: EInvoice, wanted: EInvoiceFormat) -> bytes:
    """The document in its syntax. Its check by Schematron would ask a server, and is left to tests."""
    from facturx import generate_xml  # noqa: PLC0415  14 MB of schemas, of use only here

    flavor = "ubl-2.1" if wanted == "peppol" else "factur-x"
    found = terms(e_invoice)
    if wanted != "factur-x":
        found["BT-23"] = _PROCESS
    if wanted == "xrechnung":
        for tax in found["BG-23"]:
            tax.setdefault("BT-119", "0")  # BR-DE-14, of what is not subject to VAT, too
    written: bytes = generate_xml(found, flavor=flavor, level=_LEVEL, check_xsd=True, check_schematron=False)
    return _with_specification(written, wanted)


def _with_specification(xml: bytes, wanted: EInvoiceFormat) -> bytes:
    """The same under the rules of its format (BT-24), which `facturx` writes for its own levels only."""
    from lxml import etree  # noqa: PLC0415  as above

    if wanted == "factur-x":
        return xml
    root = etree.fromstring(xml)
    path, specification = _SPECIFICATIONS[wanted]
    (named,) = root.iterfind(path)
    named.text = specification
    written: bytes = etree.tostring(root, pretty_print=True, xml_declaration=True, encoding="UTF-8")
    return written


def embed(pdf: bytes, xml: bytes, e_invoice: EInvoice, title: str) -> bytes:
    """The PDF/A-3 with its XML as an alternative of it, and metadata that say so; the same for the same input.

    `facturx.generate_from_binary` would write the time of day into it.
    """
    from pypdf import PdfWriter  # noqa: PLC0415  as above
    from pypdf.generic import ArrayObject, DictionaryObject, NameObject, TextStringObject  # noqa: PLC0415

    issued_at = datetime.combine(e_invoice.issued_on, time(), UTC)
    writer = PdfWriter(clone_from=io.BytesIO(pdf))
    specification = _file_specification(writer, xml, issued_at)
    names = ArrayObject([TextStringObject(FILE_NAME), specification])
    writer.root_object.update(
        {
            NameObject("/AF"): ArrayObject([specification]),
            NameObject("/Names"): DictionaryObject(
                {NameObject("/EmbeddedFiles"): DictionaryObject({NameObject("/Names"): names})}
            ),
        }
    )
    writer.root_object[NameObject("/Metadata")] = _metadata(writer, e_invoice, title, issued_at)
    moment = TextStringObject(f"D:{issued_at:%Y%m%d%H%M%S}Z")
    writer.metadata = {
        "/Title": title,
        "/Author": legal_text(e_invoice.seller.name),
        "/Creator": "Xyra",
        "/Producer": "Xyra",
        "/CreationDate": moment,
        "/ModDate": moment,
    }
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def _file_specification(writer: "PdfWriter", xml: bytes, issued_at: datetime) -> "IndirectObject":
    from pypdf.generic import (  # noqa: PLC0415  as above
        DecodedStreamObject,
        DictionaryObject,
        NameObject,
        NumberObject,
        TextStringObject,
    )

    content = DecodedStreamObject()
    content.set_data(xml)
    packed = content.flate_encode()
    moment = TextStringObject(f"D:{issued_at:%Y%m%d%H%M%S}Z")
    packed.update(
        {
            NameObject("/Type"): NameObject("/EmbeddedFile"),
            NameObject("/Subtype"): NameObject("/text/xml"),
            NameObject("/Params"): DictionaryObject(
                {NameObject("/Size"): NumberObject(len(xml)), NameObject("/ModDate"): moment}
            ),
        }
    )
    stream = writer._add_object(packed)  # noqa: SLF001  it has no public name for a loose object
    name = TextStringObject(FILE_NAME)
    specification = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Filespec"),
            NameObject("/AFRelationship"): NameObject("/Alternative"),
            NameObject("/Desc"): TextStringObject("Factur-X"),
            NameObject("/F"): name,
            NameObject("/UF"): name,
            NameObject("/EF"): DictionaryObject({NameObject("/F"): stream, NameObject("/UF"): stream}),
        }
    )
    return writer._add_object(specification)  # noqa: SLF001  as above


def _metadata(writer: "PdfWriter", e_invoice: EInvoice, title: str, issued_at: datetime) -> "IndirectObject":
    """XMP that says PDF/A-3b and Factur-X, with the description of its schema."""
    from facturx.facturx import generate_xmp_object  # noqa: PLC0415  as above
    from lxml import etree  # noqa: PLC0415
    from pypdf.generic import DecodedStreamObject, NameObject  # noqa: PLC0415

    said: dict[str, Any] = {
        "pdfa3_flavor": "B",
        "title": title,
        "author": legal_text(e_invoice.seller.name),
        "subject": title,
        "producer": "Xyra",
        "creator_tool": "Xyra",
        "timestamp": f"{issued_at:%Y-%m-%dT%H:%M:%S}+00:00",
        "documenttype": "INVOICE",
        "xml_filename": FILE_NAME,
        "version": "1.0",
        "xmp_level": "EN 16931",
        "urn": _NAMESPACE,
    }
    xmp = etree.tostring(generate_xmp_object(said), pretty_print=True).decode().strip()
    stream = DecodedStreamObject()
    stream.set_data(_PACKET.format(xmp=xmp).encode())
    stream.update({NameObject("/Type"): NameObject("/Metadata"), NameObject("/Subtype"): NameObject("/XML")})
    return writer._add_object(stream)  # noqa: SLF001  as above
