"""Wallets in a document store: one partition for each payer."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import msgspec

from shared import json
from shared.adapters.credits.wallet_items import (
    BUDGETS_ID,
    CUT,
    DONE,
    DRAWN,
    GRANT,
    HOLD,
    POINTER,
    TRANSFER,
    archive_partition_of,
    budgets_document,
    counter_document,
    cut_document,
    drawn_document,
    grant_document,
    head_document,
    hold_document,
    member_document,
    page_document,
    partition_of,
    record_in,
    refund_document,
    top_up_document,
    transfer_document,
)
from shared.containers import LEDGERS
from shared.domain.credits.archives import KEPT
from shared.domain.credits.budgets import Budgets
from shared.domain.credits.counters import Counter
from shared.domain.credits.drawn_periods import DrawnPeriod
from shared.domain.credits.grant_pages import GrantPage, page_id
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.credits.head import HEAD_ID, Cut, Head, cut_id
from shared.domain.credits.holds import Hold
from shared.domain.credits.members import Member, member_id
from shared.domain.credits.payments import GrantRecord, RefundRecord, grant_record_id, refund_id
from shared.domain.credits.transfers import Transfer
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.times import to_text
from shared.ports.store import (
    MAXIMUM_PAGE,
    Between,
    Create,
    Delete,
    Document,
    Item,
    Operation,
    Position,
    Replace,
    Store,
)
from shared.ports.wallets import StoredWallet, Wanted

_READS = 10
"""How often a head is read with its pages until they fit together."""
_USUAL_PAGE = page_id(DEFAULT_KIND, 1)
"""The only page of most wallets: it is read with the head."""
_DUE_AT_ONCE = 100

R = TypeVar("R", bound=msgspec.Struct)


class ItemWallets:
    """Implements `Wallets`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self, payer: str, wanted: Wanted, known: StoredWallet | None = None) -> StoredWallet:
        ids = _ids_of(wanted)
        if known is not None:
            items = await self._get_many(payer, ids - known.read)
            return _joined(known, items, ids, known.wallet.head, known.wallet.pages)
        asked = ids | {HEAD_ID, BUDGETS_ID, _USUAL_PAGE}
        for _ in range(_READS):
            items = await self._get_many(payer, asked)
            head = record_in(items[HEAD_ID].document, Head) if HEAD_ID in items else Head()
            pages = _pages(head, items)
            budgets = record_in(items[BUDGETS_ID].document, Budgets) if BUDGETS_ID in items else Budgets()
            if len(pages) == len(head.page_ids()) and budgets.revision == head.budgets_revision:
                empty = StoredWallet(Wallet(payer, budgets=budgets.budgets))
                return _joined(empty, items, asked, head, pages)
            asked = ids | {HEAD_ID, BUDGETS_ID} | head.page_ids().keys()  # together, so that they are of one moment
        raise UnavailableError("The wallet is being changed by others; try again")

    def operations(self, stored: StoredWallet, wallet: Wallet) -> int:
        pages, gone = wallet.changed_pages()
        changed = sum(
            sum(1 for _ in _changed(before, after))
            for before, after in (
                (stored.wallet.holds, wallet.holds),
                (stored.wallet.counters, wallet.counters),
                (stored.wallet.grant_records, wallet.grant_records),
                (stored.wallet.refunds, wallet.refunds),
                (stored.wallet.drawn_periods, wallet.drawn_periods),
                (stored.wallet.members, wallet.members),
            )
        )
        changed += wallet.budgets is not stored.wallet.budgets
        return (
            1 + len(wallet.transfers) + len(wallet.cuts) + len(wallet.opened_top_ups) + len(pages) + len(gone) + changed
        )

    def size(self, stored: StoredWallet, wallet: Wallet) -> int:
        return sum(_bytes(operation) for operation in _operations(stored, wallet))

    async def commit(self, stored: StoredWallet, wallet: Wallet, beside: Sequence[Operation] = ()) -> StoredWallet:
        operations = list(_operations(stored, wallet))
        etags = await self._store.batch(LEDGERS.name, partition_of(wallet.payer), [*operations, *beside])
        return _committed(stored, wallet, dict(zip(map(_id_of, operations), etags, strict=False)))

    async def due_holds(self, payer: str, before: datetime) -> Sequence[Hold]:
        page = await self._store.query(
            LEDGERS.name,
            partition_of(payer),
            HOLD,
            equals={"status": "open"},
            between=Between("due_at", below=to_text(before)),
            limit=_DUE_AT_ONCE,
        )
        return [record_in(item.document, Hold) for item in page.items]

    async def transfers(  # noqa: PLR0913  the port's arguments
        self,
        payer: str,
        *,
        archived: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        descending: bool = False,
        only_done: bool = False,
        limit: int = 100,
        after: Position | None = None,
    ) -> Sequence[Transfer]:
        page = await self._store.query(
            LEDGERS.name,
            partition_of(payer) if archived is None else archive_partition_of(payer, archived),
            TRANSFER,
            equals={"status": DONE} if only_done else {},
            between=_between(start, end),
            order_by="time",
            descending=descending,
            limit=limit,
            cursor=after,
        )
        return [record_in(item.document, Transfer) for item in page.items]

    async def note_drawn(self, payer: str, drawn_period_id: str) -> None:
        items = await self._get_many(payer, [drawn_period_id])
        item = items.get(drawn_period_id)
        drawn = None if item is None else record_in(item.document, DrawnPeriod)
        if item is None or drawn is None or drawn.is_noted:
            return
        noted = drawn_document(msgspec.structs.replace(drawn, is_noted=True), payer)
        await self._store.replace(LEDGERS.name, partition_of(payer), noted, item.etag)

    async def cuts(self, payer: str, numbers: Collection[int]) -> dict[int, Cut]:
        items = await self._get_many(payer, [cut_id(number) for number in numbers])
        cuts = [record_in(item.document, Cut) for item in items.values() if item.document["kind"] == CUT]
        return {cut.number: cut for cut in cuts}

    async def grant_records(
        self, payer: str, limit: int, cursor: str | None
    ) -> tuple[Sequence[GrantRecord], str | None]:
        page = await self._store.query(
            LEDGERS.name, partition_of(payer), GRANT, order_by="time", descending=True, limit=limit, cursor=cursor
        )
        return [record_in(item.document, GrantRecord) for item in page.items], page.cursor

    async def close_top_up(self, payer: str, top_up_id: str) -> None:
        item = await self._store.get(LEDGERS.name, partition_of(payer), top_up_id)
        if item is not None:
            over = {name: value for name, value in item.document.items() if name != "due_at"}
            await self._store.upsert(LEDGERS.name, partition_of(payer), over)

    async def _get_many(self, payer: str, ids: Collection[str]) -> dict[str, Item]:
        wanted = sorted(ids)
        items: dict[str, Item] = {}
        for begin in range(0, len(wanted), MAXIMUM_PAGE):
            some = wanted[begin : begin + MAXIMUM_PAGE]
            items |= await self._store.get_many(LEDGERS.name, partition_of(payer), some)
        return items | await self._archived(payer, items)

    async def _archived(self, payer: str, items: Mapping[str, Item]) -> dict[str, Item]:
        """The transfers that pointers lead to. Raises `UnavailableError` where a read is too stale to have them."""
        pointers = {id_: item.document["archived"] for id_, item in items.items() if item.document["kind"] == POINTER}
        archived: dict[str, Item] = {}
        for number in sorted(set(pointers.values())):
            ids = [id_ for id_, place in pointers.items() if place == number]
            archived |= await self._store.get_many(LEDGERS.name, archive_partition_of(payer, number), ids)
        if len(archived) < len(pointers):
            raise UnavailableError("The archive of the wallet cannot be read yet; try again")
        return {id_: Item(item.document, items[id_].etag) for id_, item in archived.items()}


def _pages(head: Head, items: Mapping[str, Item]) -> dict[str, GrantPage]:
    """The pages that the head names, as far as they were read. Others under the same ids are older or newer."""
    references = head.page_ids()
    pages = {id_: record_in(items[id_].document, GrantPage) for id_ in references.keys() & items.keys()}
    return {id_: page for id_, page in pages.items() if page.reference() == references[id_]}


def _ids_of(wanted: Wanted) -> frozenset[str]:
    return (
        wanted.transactions
        | wanted.holds
        | wanted.counters
        | wanted.drawn_periods
        | {grant_record_id(id_) for id_ in wanted.grants}
        | {member_id(id_) for id_ in wanted.members}
        | {refund_id(id_) for id_ in wanted.refunded}
    )


def _joined(
    known: StoredWallet,
    items: Mapping[str, Item],
    asked: Collection[str],
    head: Head,
    pages: Mapping[str, GrantPage],
) -> StoredWallet:
    """What was known with what was read besides."""
    wallet = known.wallet
    refunds = _records(items, "credit_refund", RefundRecord)
    grants = _records(items, GRANT, GrantRecord)
    members = _records(items, "credit_member", Member)
    transactions = known.transactions | _records(items, TRANSFER, Transfer)
    joined = Wallet(
        wallet.payer,
        head,
        pages=pages,
        holds=wallet.holds | _records(items, HOLD, Hold),
        counters=wallet.counters | _records(items, "credit_counter", Counter),
        grant_records=wallet.grant_records | {record.id: record for record in grants.values()},
        refunds=wallet.refunds | {record.transaction_id: record for record in refunds.values()},
        members=wallet.members | {member.organization_id: member for member in members.values()},
        drawn_periods=wallet.drawn_periods | _records(items, DRAWN, DrawnPeriod),
        earlier=transactions,
        budgets=wallet.budgets,
    )
    etags = known.etags | {id_: item.etag for id_, item in items.items()}
    return StoredWallet(joined, transactions, etags, known.read | frozenset(asked))


def _records(items: Mapping[str, Item], kind: str, model: type[R]) -> dict[str, R]:
    return {id_: record_in(item.document, model) for id_, item in items.items() if item.document["kind"] == kind}


def _operations(stored: StoredWallet, wallet: Wallet) -> Iterator[Operation]:
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
    for counter in _changed(before.counters, wallet.counters):
        yield counter_document(counter)
    for record in _changed(before.grant_records, wallet.grant_records):
        yield grant_document(record)
    for refund in _changed(before.refunds, wallet.refunds):
        yield refund_document(refund)
    for drawn in _changed(before.drawn_periods, wallet.drawn_periods):
        yield drawn_document(drawn, wallet.payer)
    for member in _changed(before.members, wallet.members):
        yield member_document(member)
    if wallet.budgets is not before.budgets:
        yield budgets_document(Budgets(wallet.head.budgets_revision, wallet.budgets))


def _changed(before: Mapping[str, R], after: Mapping[str, R]) -> Iterator[R]:
    return (record for id_, record in after.items() if before.get(id_) is not record)


def _write(stored: StoredWallet, document: Document) -> Operation:
    etag = stored.etags.get(document["id"])
    return Create(document) if etag is None else Replace(document, etag)


def _committed(stored: StoredWallet, wallet: Wallet, etags: Mapping[str, str]) -> StoredWallet:
    pages, gone = wallet.changed_pages()
    kept_pages = {id_: page for id_, page in wallet.pages.items() if id_ not in gone}
    transactions = stored.transactions | {transfer.id: transfer for transfer in wallet.transfers}
    settled = replace(
        wallet, pages=kept_pages | {page.id: page for page in pages}, earlier=transactions, transfers=[], cuts=[],
        opened_top_ups=[], _grants={},
    )  # fmt: skip
    current = {id_: etag for id_, etag in {**stored.etags, **etags}.items() if id_ not in gone}
    return StoredWallet(settled, transactions, current, stored.read | etags.keys())


def _between(start: datetime | None, end: datetime | None) -> Between | None:
    if start is None and end is None:
        return None
    return Between("time", None if start is None else to_text(start), None if end is None else to_text(end))


def _id_of(operation: Operation) -> str:
    return operation.id if isinstance(operation, Delete) else str(operation.document["id"])


def _bytes(operation: Operation) -> int:
    return 0 if isinstance(operation, Delete) else len(json.encode(operation.document))
