"""Printing: documents as PDF files."""

from typing import Protocol

from shared.domain.billing.printed_documents import PrintedDocument


class Printer(Protocol):
    """Makes PDF/A-3 files. Whatever text a document has, it is printed as text, and nothing is loaded."""

    async def pdf(self, document: PrintedDocument) -> bytes:
        """The document as a PDF, the same for the same document. Raises `UnavailableError` where much waits."""
        ...

    async def can_print(self, media_type: str, content: bytes) -> bool:
        """Whether a picture can be printed as a logo. Raises `UnavailableError` where much waits."""
        ...
