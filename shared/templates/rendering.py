"""Renders the templates of mails and pages."""

import re
import unicodedata
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

MAXIMUM_NAME = 80
_HERE = Path(__file__).parent
_SPACES = re.compile(r"\s+")
_DOTS_INSIDE = re.compile(r"\.(?=\S)")
_KEPT_SIGNS = frozenset(" '\u2019.,-&()")


def template(name: str) -> Template:
    """A template by its path below this folder, such as `mails/verification.html`."""
    return _environment().get_template(name)


def source(name: str) -> str:
    """A file below this folder as it is."""
    return (_HERE / name).read_text(encoding="utf-8")


def plain_name(name: str) -> str:
    """The name of a person or an organization in which no mail program finds a link.

    Letters, digits, spaces and a few signs stay; other characters, and dots inside of words, become spaces. At most
    `MAXIMUM_NAME` characters.
    """
    kept = "".join(character if _is_kept(character) else " " for character in unicodedata.normalize("NFC", name))
    plain = _SPACES.sub(" ", _DOTS_INSIDE.sub(" ", kept)).strip()
    return plain if len(plain) <= MAXIMUM_NAME else f"{plain[: MAXIMUM_NAME - 1].rstrip()}…"


def _is_kept(character: str) -> bool:
    return character in _KEPT_SIGNS or unicodedata.category(character)[0] in "LMN"


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
