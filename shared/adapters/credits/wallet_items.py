"""How the parts of a wallet become items, and back.

Amounts become texts. An item has its record beside the few fields that queries use.
"""

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from shared.domain.credits.archives import Archive
from shared.domain.credits.budgets import Budgets
from shared.domain.credits.counters import Counter
from shared.domain.credits.drawn_periods import DrawnPeriod
from shared.domain.credits.grant_pages import GrantPage
from shared.domain.credits.head import HEAD_ID, Cut, Head, TopUp
from shared.domain.credits.holds import Hold
from shared.domain.credits.leases import Lease
from shared.domain.credits.members import Member
from shared.domain.credits.metered_usage import CountedUsage
from shared.domain.credits.payments import GrantRecord, RefundRecord, TakingsPage, grant_record_id
from shared.domain.credits.transfers import Transfer
from shared.domain.kernel.times import BEGINNING, to_text
from shared.ports.store import Document

TRANSFER = "credit_transfer"
HOLD = "credit_hold"
LEASE = "credit_lease"
COUNTED_USAGE = "counted_usage"
POINTER = "credit_transfer_pointer"
CUT = "credit_cut"
GRANT = "credit_grant"
TAKINGS = "credit_takings"
DRAWN = "drawn_period"
BUDGETS_ID = "budgets"
DONE, REFUSED = "done", "refused"
ARCHIVE_ID = "archive"

RUN_COUNTER_SECONDS = 400 * 24 * 60 * 60
"""Thirteen months after the last write."""

R = TypeVar("R", bound=msgspec.Struct)


def partition_of(payer: str) -> str:
    return f"{payer}:wallet"


def archive_partition_of(payer: str, number: int) -> str:
    """Of the transfers before the cut with this number, from the one before it on."""
    return f"{payer}:wallet:{number}"


def head_document(head: Head) -> Document:
    return _document(HEAD_ID, "credit_head", head)


def page_document(page: GrantPage) -> Document:
    return _document(page.id, "credit_grant_page", page)


def counter_document(counter: Counter) -> Document:
    """A run's is forgotten long after its last change; every other one stays."""
    return {**_document(counter.id, "credit_counter", counter), **_ttl(of_run=counter.scope == "run")}


def hold_document(hold: Hold, payer: str) -> Document:
    """An open hold is due at its end, when the timer's sweep finds it."""
    due = {"due_at": to_text(hold.expires_at)} if hold.state == "open" else {}
    return {**_document(hold.id, HOLD, hold), "payer": payer, "status": hold.state, **due}


def lease_document(lease: Lease, payer: str) -> Document:
    """Open until its credits return, when the timer's sweep finds it."""
    due = {"due_at": to_text(lease.returns_at)} if lease.state == "open" else {}
    status = "unreported" if lease.unreported else lease.state
    return {
        **_document(lease.id, LEASE, lease),
        "payer": payer,
        "status": status,
        "time": to_text(lease.admitted_at),
        **due,
    }


def transfer_document(transfer: Transfer) -> Document:
    status = REFUSED if transfer.is_refused else DONE
    return {**_document(transfer.id, TRANSFER, transfer), "time": to_text(transfer.time), "status": status}


def cut_document(cut: Cut, payer: str, due_at: datetime | None) -> Document:
    """It is due as long as what comes before it is not archived."""
    due = {} if due_at is None else {"due_at": to_text(due_at)}
    return {**_document(cut.id, CUT, cut), "payer": payer, "number": cut.number, **due}


def top_up_document(top_up: TopUp, payer: str, due_at: datetime | None) -> Document:
    """It is due until it is closed."""
    due = {} if due_at is None else {"due_at": to_text(due_at)}
    return {**_document(top_up.id, "credit_top_up", top_up), "payer": payer, **due}


def archive_document(archive: Archive) -> Document:
    return _document(ARCHIVE_ID, "credit_archive", archive)


def pointer_document(transfer: Document, number: int) -> Document:
    """What stays in the wallet of a transfer that lies in the archive, under the same id."""
    return {"id": transfer["id"], "kind": POINTER, "archived": number}


def grant_document(record: GrantRecord) -> Document:
    return {**_document(grant_record_id(record.id), GRANT, record), "time": to_text(record.created_at)}


def takings_document(page: TakingsPage) -> Document:
    return _document(page.id, TAKINGS, page)


def refund_document(record: RefundRecord) -> Document:
    return _document(record.id, "credit_refund", record)


def member_document(member: Member) -> Document:
    return _document(member.id, "credit_member", member)


def counted_usage_document(counted: CountedUsage) -> Document:
    """What a run's context has counted is forgotten as its counter is."""
    return {**_document(counted.id, COUNTED_USAGE, counted), **_ttl(of_run=counted.of_run)}


def budgets_document(budgets: Budgets) -> Document:
    return _document(BUDGETS_ID, "credit_budgets", budgets)


def drawn_document(drawn: DrawnPeriod, payer: str) -> Document:
    """What was drawn until the close is due until the period knows it: the timer's sweep tells it."""
    is_due = drawn.is_closed and not drawn.is_noted
    due = {"due_at": to_text(BEGINNING)} if is_due else {}
    return {**_document(drawn.id, DRAWN, drawn), "payer": payer, "drawn_id": drawn.id, **due}


def record_in(document: Document, kind: type[R]) -> R:
    return msgspec.convert(document["record"], kind)


def _ttl(*, of_run: bool) -> dict[str, int]:
    return {"ttl": RUN_COUNTER_SECONDS} if of_run else {}


def _document(id_: str, kind: str, record: msgspec.Struct) -> dict[str, Any]:
    return {"id": id_, "kind": kind, "record": msgspec.to_builtins(record)}
