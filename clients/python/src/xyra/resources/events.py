"""Methods of `events`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Events:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def report(
        self,
        body: models.EventRequest | Sequence[models.EventRequest] | models.EventBatchRequest,
        *,
        organization_id: str | None = None,
        partial: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.EventsAnswer:
        """Report usage: one event, a list, or a batch; plain or as CloudEvents 1.0."""
        answer: models.EventsAnswer = self._connection.call(
            "POST",
            "/api/v1/events",
            query={"organization_id": organization_id, "partial": partial},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        agent: str | None = None,
        type: str | None = None,
        run: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        source: str | None = None,
        id_: str | None = None,
    ) -> Listing[models.EventAnswer]:
        """Metered events, newest first, with times at or after `from` and before `to`; with a type that is rare among them, a page may be shorter than its limit without being the last one."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/events",
            query={
                "organization_id": organization_id,
                "limit": limit,
                "agent": agent,
                "type": type,
                "run": run,
                "from": from_,
                "to": to,
                "source": source,
                "id": id_,
            },
        )

    def get(self, event_id: str, *, organization_id: str | None = None) -> models.EventAnswer:
        """One event, with what it counts for; not found while it is on its way or parked."""
        answer: models.EventAnswer = self._connection.call(
            "GET", f"/api/v1/events/{segment(event_id)}", query={"organization_id": organization_id}
        )
        return answer

    def take_payment_off(
        self,
        event_id: str,
        body: models.TakingOffRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.EventAnswer:
        """Price an event that credits have paid like any other, in the period of its time."""
        answer: models.EventAnswer = self._connection.call(
            "POST",
            f"/api/v1/events/{segment(event_id)}/take-payment-off",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list_parked(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        status: Literal["parked", "rated", "discarded"] | None = None,
    ) -> Listing[models.ParkedEventAnswer]:
        """Accepted events that could not be metered, with the reason, newest first; for an operator who names no organization, the messages that could not be read."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/events/parked",
            query={"organization_id": organization_id, "limit": limit, "status": status},
        )

    def replay_parked(
        self,
        body: models.ReplayRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.ReplayedAnswer:
        """Send parked events again; each stays parked until it is found metered."""
        answer: models.ReplayedAnswer = self._connection.call(
            "POST",
            "/api/v1/events/parked/replay",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def discard_parked(
        self,
        parked_id: str,
        body: models.DiscardRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.ParkedEventAnswer:
        """Give up a parked event for good; without an organization, a message that could not be read."""
        answer: models.ParkedEventAnswer = self._connection.call(
            "POST",
            f"/api/v1/events/parked/{segment(parked_id)}/discard",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer


class AsyncEvents:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def report(
        self,
        body: models.EventRequest | Sequence[models.EventRequest] | models.EventBatchRequest,
        *,
        organization_id: str | None = None,
        partial: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.EventsAnswer:
        """Report usage: one event, a list, or a batch; plain or as CloudEvents 1.0."""
        answer: models.EventsAnswer = await self._connection.call(
            "POST",
            "/api/v1/events",
            query={"organization_id": organization_id, "partial": partial},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        agent: str | None = None,
        type: str | None = None,
        run: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        source: str | None = None,
        id_: str | None = None,
    ) -> AsyncListing[models.EventAnswer]:
        """Metered events, newest first, with times at or after `from` and before `to`; with a type that is rare among them, a page may be shorter than its limit without being the last one."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/events",
            query={
                "organization_id": organization_id,
                "limit": limit,
                "agent": agent,
                "type": type,
                "run": run,
                "from": from_,
                "to": to,
                "source": source,
                "id": id_,
            },
        )

    async def get(self, event_id: str, *, organization_id: str | None = None) -> models.EventAnswer:
        """One event, with what it counts for; not found while it is on its way or parked."""
        answer: models.EventAnswer = await self._connection.call(
            "GET", f"/api/v1/events/{segment(event_id)}", query={"organization_id": organization_id}
        )
        return answer

    async def take_payment_off(
        self,
        event_id: str,
        body: models.TakingOffRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.EventAnswer:
        """Price an event that credits have paid like any other, in the period of its time."""
        answer: models.EventAnswer = await self._connection.call(
            "POST",
            f"/api/v1/events/{segment(event_id)}/take-payment-off",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list_parked(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        status: Literal["parked", "rated", "discarded"] | None = None,
    ) -> AsyncListing[models.ParkedEventAnswer]:
        """Accepted events that could not be metered, with the reason, newest first; for an operator who names no organization, the messages that could not be read."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/events/parked",
            query={"organization_id": organization_id, "limit": limit, "status": status},
        )

    async def replay_parked(
        self,
        body: models.ReplayRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.ReplayedAnswer:
        """Send parked events again; each stays parked until it is found metered."""
        answer: models.ReplayedAnswer = await self._connection.call(
            "POST",
            "/api/v1/events/parked/replay",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def discard_parked(
        self,
        parked_id: str,
        body: models.DiscardRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.ParkedEventAnswer:
        """Give up a parked event for good; without an organization, a message that could not be read."""
        answer: models.ParkedEventAnswer = await self._connection.call(
            "POST",
            f"/api/v1/events/parked/{segment(parked_id)}/discard",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer
