"""Methods of `credit_notes`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from typing import Literal

from xyra.connection import AsyncConnection, Connection, segment


class CreditNotes:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_pdf(self, credit_note_id: str, *, organization_id: str | None = None) -> bytes:
        """A credit note as a PDF, as it was when it was issued."""
        answer: bytes = self._connection.call(
            "GET", f"/api/v1/credit-notes/{segment(credit_note_id)}/pdf", query={"organization_id": organization_id}
        )
        return answer

    def get_e(
        self,
        credit_note_id: str,
        *,
        organization_id: str | None = None,
        format: Literal["factur-x", "xrechnung", "peppol"] | None = None,
    ) -> bytes:
        """A credit note as an electronic invoice (EN 16931)."""
        answer: bytes = self._connection.call(
            "GET",
            f"/api/v1/credit-notes/{segment(credit_note_id)}/e-invoice",
            query={"organization_id": organization_id, "format": format},
        )
        return answer


class AsyncCreditNotes:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get_pdf(self, credit_note_id: str, *, organization_id: str | None = None) -> bytes:
        """A credit note as a PDF, as it was when it was issued."""
        answer: bytes = await self._connection.call(
            "GET", f"/api/v1/credit-notes/{segment(credit_note_id)}/pdf", query={"organization_id": organization_id}
        )
        return answer

    async def get_e(
        self,
        credit_note_id: str,
        *,
        organization_id: str | None = None,
        format: Literal["factur-x", "xrechnung", "peppol"] | None = None,
    ) -> bytes:
        """A credit note as an electronic invoice (EN 16931)."""
        answer: bytes = await self._connection.call(
            "GET",
            f"/api/v1/credit-notes/{segment(credit_note_id)}/e-invoice",
            query={"organization_id": organization_id, "format": format},
        )
        return answer
