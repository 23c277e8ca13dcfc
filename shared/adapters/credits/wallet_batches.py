"""What of a wallet differs from what was read, as the operations of one batch."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

import msgspec

from shared import json
from shared.adapters.credits.wallet_items import (
    budgets_document,
    counted_usage_document,
    counter_document,
    cut_document,
    drawn_document,
    grant_document,
    head_document,
    hold_document,
    lease_document,
    member_document,
    page_document,
    refund_document,
    takings_document,
    top_up_document,
    transfer_document,
)
from shared.domain.credits.archives import KEPT
from shared.domain.credits.budgets import Budgets
from shared.domain.credits.wallet import Wallet
from shared.ports.store import Create, Delete, Document, Operation, Replace
from shared.ports.wallets import StoredWallet

R = TypeVar("R", bound=msgspec.Struct)


def count(stored: StoredWallet, wallet: Wallet) -> int:
    """How many operations the batch has."""
    before = stored.wallet
    pages, gone = wallet.changed_pages()
    pairs: tuple[tuple[Mapping[str, msgspec.Struct], Mapping[str, msgspec.Struct]], ...] = (
        (before.holds, wallet.holds),
        (before.leases, wallet.leases),
        (before.counters, wallet.counters),
        (before.grant_records, wallet.grant_records),
        (before.takings_pages, wallet.takings_pages),
        (before.refunds, wallet.refunds),
        (before.drawn_periods, wallet.drawn_periods),
        (before.members, wallet.members),
        (before.counted_usage, wallet.counted_usage),
    )
    changed = sum(1 for old, new in pairs for _ in _changed(old, new)) + (wallet.budgets is not before.budgets)
    made = len(wallet.transfers) + len(wallet.cuts) + len(wallet.opened_top_ups)
    return 1 + made + len(pages) + len(gone) + changed


def operations(stored: StoredWallet, wallet: Wallet) -> Iterator[Operation]:
    """What differs from what was read, the head first: under its ETag, or as new."""
    before = stored.wallet
    yield _write(stored, head_document(wallet.head))
    for transfer in wallet.transfers:
        yield Create(transfer_document(transfer))
    pages, gone = wallet.changed_pages()
    for page in pages:
        yield _write(stored, page_document(page))
    for id_ in gone:
        yield Delete(id_, stored.etags[id_])
    for document in _changed_records(before, wallet):
        yield _write(stored, document)
    for cut in wallet.cuts:
        yield Create(cut_document(cut, wallet.payer, cut.time + KEPT))
    for top_up in wallet.opened_top_ups:
        yield Create(top_up_document(top_up, wallet.payer, top_up.opened_at))


def _changed_records(before: Wallet, wallet: Wallet) -> Iterator[Document]:
    for hold in _changed(before.holds, wallet.holds):
        yield hold_document(hold, wallet.payer)
    for lease in _changed(before.leases, wallet.leases):
        yield lease_document(lease, wallet.payer)
    for counter in _changed(before.counters, wallet.counters):
        yield counter_document(counter)
    yield from _changed_payments(before, wallet)
    for drawn in _changed(before.drawn_periods, wallet.drawn_periods):
        yield drawn_document(drawn, wallet.payer)
    for member in _changed(before.members, wallet.members):
        yield member_document(member)
    for counted in _changed(before.counted_usage, wallet.counted_usage):
        yield counted_usage_document(counted)
    if wallet.budgets is not before.budgets:
        yield budgets_document(Budgets(wallet.head.budgets_revision, wallet.budgets))


def _changed_payments(before: Wallet, wallet: Wallet) -> Iterator[Document]:
    for record in _changed(before.grant_records, wallet.grant_records):
        yield grant_document(record)
    for takings in _changed(before.takings_pages, wallet.takings_pages):
        yield takings_document(takings)
    for refund in _changed(before.refunds, wallet.refunds):
        yield refund_document(refund)


def _changed(before: Mapping[str, R], after: Mapping[str, R]) -> Iterator[R]:
    return (record for id_, record in after.items() if before.get(id_) is not record)


def _write(stored: StoredWallet, document: Document) -> Operation:
    etag = stored.etags.get(document["id"])
    return Create(document) if etag is None else Replace(document, etag)


def committed(stored: StoredWallet, wallet: Wallet, etags: Mapping[str, str]) -> StoredWallet:
    pages, gone = wallet.changed_pages()
    kept_pages = {id_: page for id_, page in wallet.pages.items() if id_ not in gone}
    transactions = stored.transactions | {transfer.id: transfer for transfer in wallet.transfers}
    settled = replace(
        wallet, pages=kept_pages | {page.id: page for page in pages}, earlier=transactions, transfers=[], cuts=[],
        opened_top_ups=[], alerts=[], _grants={},
    )  # fmt: skip
    current = {id_: etag for id_, etag in {**stored.etags, **etags}.items() if id_ not in gone}
    return StoredWallet(settled, transactions, current, stored.read | etags.keys())


def id_of(operation: Operation) -> str:
    return operation.id if isinstance(operation, Delete) else str(operation.document["id"])


def bytes_of(operation: Operation) -> int:
    return 0 if isinstance(operation, Delete) else len(json.encode(operation.document))
