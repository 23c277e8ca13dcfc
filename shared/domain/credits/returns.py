"""Credits that come in or are freed: they pay debt first, then go where they came from."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import msgspec

from shared.domain.credits.accounts import DEBT, EXPIRED, FREE, Line, moved
from shared.domain.credits.grants import Grant, Part, Terms
from shared.domain.credits.head import DebtPayment
from shared.domain.credits.payments import Taking
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.money import ZERO

UNKNOWN_TERMS = Terms("refund")
"""Of what comes back from debt that was paid so long ago that nobody knows by which grant."""


@dataclass(slots=True)
class Return:
    """Takes credits in for one transfer, and notes to which accounts they go."""

    wallet: Wallet
    kind: str
    transaction_id: str
    now: datetime
    to_debt: Decimal = ZERO
    to_free: Decimal = ZERO
    to_expired: Decimal = ZERO
    parts: list[Part] = field(default_factory=list)
    """The grants that were filled."""
    _made: int = 0

    def lines(self, *others: tuple[str, Decimal]) -> tuple[Line, ...]:
        """The lines of the transfer, with those of the accounts that the credits come from."""
        return moved(self.kind, *others, (DEBT, self.to_debt), (FREE, self.to_free), (EXPIRED, self.to_expired))

    def take_new(self, grant: Grant) -> None:
        """A new grant, all of it free: what is left after debt stays in it."""
        rest = grant.amount - self._pay_debt(grant.part(grant.amount))
        self.to_free += rest
        added = self.wallet.grants(self.kind).add(msgspec.structs.replace(grant, free=rest))
        self.parts.append(added.part(rest))

    def free_pins(self, pins: Iterable[Part]) -> None:
        """What a hold set aside and did not spend. Of a grant whose time is over it lapses."""
        for pin in pins:
            if not pin.grant_id:
                self._return_debt(pin.amount)
                continue
            grants = self.wallet.grants(self.kind)
            grant = self._pinned(pin)
            unpinned = msgspec.structs.replace(grant, pinned=grant.pinned - pin.amount)
            if grant.has_expired(self.now):
                grants.put(unpinned)
                rest = pin.of(pin.amount - self._make_good(pin))
                self._lose(rest.of(rest.amount - self._pay_debt(rest)))
            else:
                free = pin.amount - self._pay_debt(pin)
                self.to_free += free
                grants.put(msgspec.structs.replace(unpinned, free=unpinned.free + free))

    def let_lapse(self, part: Part) -> None:
        """Free credits that have left a grant whose time is over: they make good first what its clawback took."""
        self._lose(part.of(part.amount - self._make_good(part)))

    def _lose(self, part: Part) -> None:
        """Breakage. Of a purchase its grant keeps how much it was, as a clawback may still take it."""
        self.to_expired += part.amount
        if part.amount and part.terms is not None and part.terms.source == "purchase":
            grants = self.wallet.grants(self.kind)
            grant = grants.find(part.place) or part.grant
            grants.put(msgspec.structs.replace(grant, lapsed=grant.lapsed + part.amount))

    def _make_good(self, part: Part) -> Decimal:
        """Return what a clawback of this grant took from others, latest first; it takes what lapses instead."""
        record = self.wallet.grant_records.get(part.grant_id) if part.grant_id in self.wallet.head.owing else None
        if record is None:
            return ZERO
        takings: list[Taking] = []
        left = part.amount
        for taking in reversed(record.takings):
            returned = min(left, taking.part.amount) if record.is_elsewhere(taking) else ZERO
            left -= returned
            if returned:
                self.give_back([taking.part.of(returned)], taking.taken_at)
                takings.append(Taking("lapsed", record.grant.part(returned), self.now))
            if returned < taking.part.amount:
                takings.append(Taking(taking.origin, taking.part.of(taking.part.amount - returned), taking.taken_at))
        record = msgspec.structs.replace(record, takings=tuple(reversed(takings)))
        self.wallet.grant_records[record.id] = record
        self.wallet.note_owing(record)
        return part.amount - left

    def burn_pins(self, pins: Iterable[Part]) -> None:
        """What a hold set aside and did spend: it leaves its grants."""
        for pin in pins:
            if pin.grant_id:
                grant = self._pinned(pin)
                self.wallet.grants(self.kind).put(msgspec.structs.replace(grant, pinned=grant.pinned - pin.amount))

    def give_back(self, parts: Iterable[Part], burnt_at: datetime) -> None:
        """What was burnt: debt first, then the grants that bore it, on their terms."""
        for part in parts:
            if not part.grant_id:
                self._return_debt(part.amount)
            else:
                self._refill(part.of(part.amount - self._pay_debt(part)), burnt_at)

    def _return_debt(self, amount: Decimal) -> None:
        """What no grant bore: it lowers the debt, or comes back on the terms of what paid it, latest first."""
        paid = self._lower_debt(amount)
        rest = amount - paid
        payments = list(self.wallet.head.debt_payments.get(self.kind, ()))
        while rest and payments:
            payment = payments.pop()
            returned = min(rest, payment.part.amount)
            rest -= returned
            if returned < payment.part.amount:
                payments.append(DebtPayment(payment.part.of(payment.part.amount - returned), payment.paid_at))
            self._refill(payment.part.of(returned), payment.paid_at)
        self.wallet.note_debt_payments(self.kind, tuple(payments))
        if rest:
            self._give_new(UNKNOWN_TERMS, rest)

    def _refill(self, part: Part, burnt_at: datetime) -> None:
        """Into its grant, up to the original size; into a new one where its time is over."""
        amount, terms, created_at = part.amount, part.terms, part.created_at
        if not amount or terms is None or created_at is None:
            return
        if terms.expires_at is not None and terms.expires_at <= self.now:
            left = terms.expires_at - burnt_at
            self._give_new(terms.renewed(self.now + left), amount)
            return
        grants = self.wallet.grants(self.kind)
        grant = grants.find(part.place) or Grant(part.grant_id, terms, created_at, part.grant_amount, ZERO)
        fits = min(amount, grant.amount - grant.free - grant.pinned - grant.lapsed)
        grants.put(msgspec.structs.replace(grant, free=grant.free + fits))
        self.to_free += fits
        self.parts.append(part.of(fits))
        if fits < amount:
            self._give_new(terms, amount - fits)

    def _give_new(self, terms: Terms, amount: Decimal) -> None:
        """Into a new grant on these terms."""
        self._made += 1
        id_ = named_id("grant", self.transaction_id, self._made)
        grant = self.wallet.grants(self.kind).add(Grant(id_, terms, self.now, amount, amount))
        self.to_free += amount
        self.parts.append(grant.part(amount))

    def _pay_debt(self, part: Part) -> Decimal:
        """How much of it paid debt; the payment keeps its terms."""
        paid = self._lower_debt(part.amount)
        if paid:
            before = self.wallet.head.debt_payments.get(self.kind, ())
            self.wallet.note_debt_payments(self.kind, (*before, DebtPayment(part.of(paid), self.now)))
        return paid

    def _lower_debt(self, amount: Decimal) -> Decimal:
        paid = min(amount, self.wallet.head.debt_of(self.kind) - self.to_debt)
        self.to_debt += paid
        return paid

    def _pinned(self, pin: Part) -> Grant:
        grant = self.wallet.grants(self.kind).find(pin.place)
        if grant is None or grant.pinned < pin.amount:
            raise LostPinError(f"The grant {pin.grant_id} does not have the pinned {pin.amount}")
        return grant


class LostPinError(Exception):
    """A bug: a hold's credits are not in their grant."""
