"""Wallets in a document store: one partition for each payer."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from shared.adapters.credits.wallet_batches import bytes_of, committed, count, id_of, operations
from shared.adapters.credits.wallet_items import (
    BUDGETS_ID,
    COUNTED_USAGE,
    CUT,
    DONE,
    DRAWN,
    GRANT,
    HOLD,
    LEASE,
    POINTER,
    TAKINGS,
    TRANSFER,
    archive_partition_of,
    drawn_document,
    partition_of,
    record_in,
)
from shared.containers import LEDGERS
from shared.domain.credits.budgets import Budgets
from shared.domain.credits.counters import Counter
from shared.domain.credits.drawn_periods import DrawnPeriod
from shared.domain.credits.grant_pages import GrantPage, page_id
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.credits.head import HEAD_ID, Cut, Head, cut_id
from shared.domain.credits.holds import Hold
from shared.domain.credits.leases import Lease
from shared.domain.credits.members import Member, member_id
from shared.domain.credits.metered_usage import CountedUsage
from shared.domain.credits.payments import GrantRecord, RefundRecord, TakingsPage, grant_record_id, refund_id
from shared.domain.credits.transfers import Transfer
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.times import to_text
from shared.ports.store import (
    MAXIMUM_PAGE,
    Between,
    Item,
    Operation,
    Position,
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

    def place(self, payer: str) -> tuple[str, str]:
        return LEDGERS.name, partition_of(payer)

    def operations(self, stored: StoredWallet, wallet: Wallet) -> int:
        return count(stored, wallet)

    def size(self, stored: StoredWallet, wallet: Wallet) -> int:
        return sum(bytes_of(operation) for operation in operations(stored, wallet))

    async def commit(self, stored: StoredWallet, wallet: Wallet, beside: Sequence[Operation] = ()) -> StoredWallet:
        batch = list(operations(stored, wallet))
        etags = await self._store.batch(LEDGERS.name, partition_of(wallet.payer), [*batch, *beside])
        return committed(stored, wallet, dict(zip(map(id_of, batch), etags, strict=False)))

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

    async def due_leases(self, payer: str, before: datetime) -> Sequence[Lease]:
        page = await self._store.query(
            LEDGERS.name,
            partition_of(payer),
            LEASE,
            equals={"status": "open"},
            between=Between("due_at", below=to_text(before)),
            limit=_DUE_AT_ONCE,
        )
        return [record_in(item.document, Lease) for item in page.items]

    async def leases(self, payer: str, status: str | None, limit: int, after: Position | None) -> Sequence[Lease]:
        page = await self._store.query(
            LEDGERS.name,
            partition_of(payer),
            LEASE,
            equals={} if status is None else {"status": status},
            order_by="time",
            descending=True,
            limit=limit,
            cursor=after,
        )
        return [record_in(item.document, Lease) for item in page.items]

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
        | wanted.leases
        | wanted.counters
        | wanted.drawn_periods
        | wanted.counted_usage
        | wanted.takings_pages
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
        leases=wallet.leases | _records(items, LEASE, Lease),
        counters=wallet.counters | _records(items, "credit_counter", Counter),
        grant_records=wallet.grant_records | {record.id: record for record in grants.values()},
        takings_pages=wallet.takings_pages | _records(items, TAKINGS, TakingsPage),
        refunds=wallet.refunds | {record.transaction_id: record for record in refunds.values()},
        members=wallet.members | {member.organization_id: member for member in members.values()},
        drawn_periods=wallet.drawn_periods | _records(items, DRAWN, DrawnPeriod),
        counted_usage=wallet.counted_usage | _records(items, COUNTED_USAGE, CountedUsage),
        earlier=transactions,
        budgets=wallet.budgets,
    )
    etags = known.etags | {id_: item.etag for id_, item in items.items()}
    return StoredWallet(joined, transactions, etags, known.read | frozenset(asked))


def _records(items: Mapping[str, Item], kind: str, model: type[R]) -> dict[str, R]:
    return {id_: record_in(item.document, model) for id_, item in items.items() if item.document["kind"] == kind}


def _between(start: datetime | None, end: datetime | None) -> Between | None:
    if start is None and end is None:
        return None
    return Between("time", None if start is None else to_text(start), None if end is None else to_text(end))
