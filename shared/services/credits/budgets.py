"""Budgets: caps that callers set, held against every admission in the same batch."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from shared.domain.credits.budgets import (
    EACH,
    MAXIMUM_BUDGETS,
    MAXIMUM_SHARES,
    Budget,
    Enforcement,
    Figures,
    counter_of_run_budget,
    figures,
    run_budget,
    shares_told_beside,
)
from shared.domain.credits.counters import Scope, Unit, new_counter
from shared.domain.credits.wallet import Wallet
from shared.domain.credits.windows import Window, WindowName, windows_at
from shared.domain.kernel.audit import Target
from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError, ValidationError
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.times import to_text
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.ports.queue import Pending
from shared.ports.wallets import Wallets, Wanted
from shared.services.access.api_keys import ApiKeys
from shared.services.agents.agents import Agents
from shared.services.credits.department_limits import is_department_limit
from shared.services.credits.metered_counting import MeteredCounting
from shared.services.credits.paying import Paying
from shared.services.credits.present_counters import PresentCounters
from shared.services.storage import Operation, Position, Store, look_twice, noting, retry_lost_races
from shared.services.storage.cursors import cursor_to, position_after, shape_of
from shared.services.storage.preconditions import check_if_match
from shared.services.storage.retrying import poll
from shared.services.tenancy.allocation_targets import AllocationTargets
from shared.services.usage.events import Events

_LIST = shape_of("budgets")


@dataclass(frozen=True, slots=True)
class BudgetDraft:
    """What a budget is to be."""

    scope: Scope
    reference: str | None
    """None stands for the organization itself."""
    window: WindowName
    limit: Decimal
    unit: Unit
    kind: str
    enforcement: Enforcement
    alert_at: tuple[Decimal, ...]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class StoredBudget:
    budget: Budget
    etag: str
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """A budget with what its present window counts."""

    budget: Budget
    reference: str
    """The thing that is counted: of a budget for each thing, the one that was asked for."""
    window: Window
    timezone: str
    figures: Figures
    revision: int
    """Of the wallet; it rises with everything that happens there."""
    etag: str
    pending: Pending
    """Events of the organization that have no amount yet."""
    counted_to: datetime
    """What was metered until then is counted."""


class Budgets:
    """They lie in the wallet that pays: a batch on other budgets than the head names is decided anew."""

    def __init__(  # noqa: PLR0913  its neighbours
        self,
        store: Store,
        wallets: Wallets,
        clock: Clock,
        paying: Paying,
        agents: Agents,
        api_keys: ApiKeys,
        events: Events,
        metered: MeteredCounting,
    ) -> None:
        self._events = events
        self._metered = metered
        self._wallets = wallets
        self._clock = clock
        self._paying = paying
        self._present = PresentCounters(wallets, paying)
        self._agents = agents
        self._api_keys = api_keys
        self._targets = AllocationTargets(store)

    async def put(self, organization_id: str, budget_id: str, draft: BudgetDraft, if_match: str | None) -> StoredBudget:
        """Create or replace one; it binds what is admitted from now on.

        Raises `ValidationError`, `PreconditionFailedError`, and `ConflictError` where the wallet has too many budgets,
        those of one thing tell too many shares, or the id is that of a department's limit.
        """
        reference = await look_twice(lambda: self._reference(organization_id, draft), errors=(ValidationError,))

        async def changed(wallet: Wallet, payer: Organization) -> Budget:
            before = _found(wallet, organization_id, budget_id)
            if draft.unit == "money" and payer.credit_value_at(self._clock.now(), draft.kind) is None:
                raise ValidationError.at(
                    "/unit",
                    "a credit of this kind has no value in money: set the credit_value of the organization that pays, "
                    "or limit credits",
                )
            return Budget(
                id=budget_id,
                organization_id=organization_id,
                scope=draft.scope,
                reference=reference,
                window=draft.window,
                limit=draft.limit,
                kind=draft.kind,
                enforcement=draft.enforcement,
                unit=draft.unit,
                name=draft.name,
                alert_at=tuple(sorted(set(draft.alert_at))),
                created_at=self._clock.now() if before is None else before.created_at,
            )

        return await self._change(organization_id, budget_id, changed, if_match)

    async def delete(self, organization_id: str, budget_id: str, if_match: str | None) -> None:
        """Raises `NotFoundError`, `PreconditionFailedError`, and `ConflictError` for a department's limit."""

        async def removed(wallet: Wallet, _: Organization) -> None:
            if _found(wallet, organization_id, budget_id) is None:
                raise _unknown()

        async def attempt() -> None:
            _, wallet = await self._paying.read(organization_id, Wanted())
            if _found(wallet, organization_id, budget_id) is None:  # before anything is changed
                raise _unknown()
            await self._change(organization_id, budget_id, removed, if_match)

        await look_twice(attempt, errors=(NotFoundError,))

    async def page(self, organization_id: str, limit: int, cursor: str | None) -> tuple[list[Budget], str | None]:
        """Newest first. Raises `MalformedError` for a cursor of another list."""
        _, wallet = await self._paying.read(organization_id, Wanted())
        own = [budget for budget in wallet.budgets if budget.organization_id == organization_id]
        places = sorted(((to_text(budget.created_at), budget.id, budget) for budget in own), reverse=True)
        if cursor is not None:
            after = position_after(cursor, _LIST)
            places = [place for place in places if place[:2] < (after.value, after.id)]
        page, rest = places[:limit], places[limit:]
        following = cursor_to(Position(page[-1][0], page[-1][1]), _LIST) if rest else None
        return [budget for _, _, budget in page], following

    async def status(
        self, organization_id: str, budget_id: str, reference: str | None, at_least: int | None
    ) -> BudgetStatus:
        """What the present window counts, without holds whose time is over.

        `reference` names one thing of a budget for each. `at_least` is a revision that the answer must not be behind:
        it is waited for for about 2 s. Raises `NotFoundError`, `ValidationError`, and `UnavailableError` where
        the revision does not come.
        """

        async def seen() -> BudgetStatus | None:
            status = await look_twice(
                lambda: self._status(organization_id, budget_id, reference), errors=(NotFoundError,)
            )
            return status if at_least is None or status.revision >= at_least else None

        status = await poll(seen)
        if status is None:
            raise UnavailableError("This host does not see that revision yet; try again")
        return status

    async def _status(self, organization_id: str, budget_id: str, reference: str | None) -> BudgetStatus:
        run_counter = counter_of_run_budget(organization_id, budget_id)
        wanted = Wanted(counters=frozenset() if run_counter is None else frozenset({run_counter}))
        organization, wallet = await self._paying.read(organization_id, wanted)
        budget = _found(wallet, organization_id, budget_id)
        counted = wallet.counters.get(run_counter or "")
        if budget is None and counted is not None and counted.limits:
            budget = run_budget(counted, min(counted.limits, key=lambda limit: limit.limit))
        if budget is None:
            raise _unknown()
        thing = await self._thing(budget, reference)
        # Before the counters: what is counted meanwhile is counted here, too.
        pending = await self._events.waiting(organization)
        counted_to = await self._metered.counted_to(organization)
        now = self._clock.now()
        empty = new_counter(budget.scope, organization_id, thing)
        wallet, counter = await self._present.read(wallet.payer, empty, organization, now)
        window = next(each for each in windows_at(now, organization.calendars) if each.name == budget.window)
        spending = counter.spending(budget.kind, window)
        calendar = organization.calendars.at(now) or organization.calendars.first
        return BudgetStatus(
            *(budget, thing, window, calendar.timezone, figures(budget, spending)),
            *(wallet.head.revision, _etag_of(budget), pending, counted_to),
        )

    async def _thing(self, budget: Budget, reference: str | None) -> str:
        """What is counted. Raises `ValidationError`."""
        if budget.scope == "organization":
            return budget.organization_id
        if reference is not None and budget.scope == "agent":
            reference = (await self._agents.named(budget.organization_id, reference, "?ref")).id
        if budget.reference == EACH:
            if reference is None:
                raise ValidationError.at("?ref", f"name one {budget.scope}: this budget limits each of them by itself")
            return reference
        if reference not in (None, budget.reference):
            raise ValidationError.at("?ref", f"this budget limits {budget.reference} only")
        return budget.reference

    async def _reference(self, organization_id: str, draft: BudgetDraft) -> str:
        """The id of what is limited. Raises `ValidationError` for what is not there."""
        scope, reference = draft.scope, draft.reference
        if scope == "organization":
            if reference not in (None, EACH, organization_id):
                raise ValidationError.at("/ref", "leave it out: a budget of an organization is for that organization")
            return organization_id
        if reference is None:
            raise ValidationError.at("/ref", f"name one {scope}, or send each")
        if reference == EACH:
            return EACH
        if scope == "project":
            await self._targets.check_known_project(organization_id, reference, "/ref")
        elif scope == "department":
            await self._targets.check_known_department(organization_id, reference, "/ref")
        elif scope == "agent":
            return (await self._agents.named(organization_id, reference, "/ref")).id
        elif scope == "api_key":
            return await self._root_of_key(organization_id, reference)
        return reference

    async def _root_of_key(self, organization_id: str, key_id: str) -> str:
        """Keys that were made by one another count as one. Raises `ValidationError`."""
        try:
            return (await self._api_keys.get(organization_id, key_id)).entity.root_id
        except NotFoundError as error:
            raise ValidationError.at("/ref", "there is no such API key") from error

    async def _change(
        self,
        organization_id: str,
        budget_id: str,
        decide: Callable[[Wallet, Organization], Awaitable[Budget | None]],
        if_match: str | None,
    ) -> StoredBudget:
        async def attempt() -> StoredBudget:
            paid = await self._paying.wallet_of(organization_id)
            stored = await self._wallets.read(paid.payer, Wanted(members=frozenset({organization_id})))
            stored.wallet.check_member(organization_id)
            before = _found(stored.wallet, organization_id, budget_id)
            if before is not None and is_department_limit(before):
                raise ConflictError(
                    f"This is a limit of a department: change it at /credits/departments/{before.reference}/limits"
                )
            check_if_match(if_match, "" if before is None else _etag_of(before))
            after = await decide(stored.wallet, await self._paying.organization(paid.payer))
            if after == before and before is not None:
                return StoredBudget(before, _etag_of(before))
            wallet = stored.wallet.copy()
            others = [budget for budget in wallet.budgets if budget is not before]
            budgets = (*others, *(() if after is None else (after,)))
            if len(budgets) > MAXIMUM_BUDGETS:
                raise ConflictError(f"The wallet has {MAXIMUM_BUDGETS} budgets: remove some that are not needed")
            if after is not None and shares_told_beside(after, budgets) > MAXIMUM_SHARES:
                raise ConflictError(
                    f"Budgets of one {after.scope} tell at most {MAXIMUM_SHARES} shares in all: name fewer in alert_at"
                )
            wallet.put_budgets(budgets)
            wallet.finish()
            await self._wallets.commit(stored, wallet, [_note(organization_id, budget_id, before, after)])
            shown = before if after is None else after
            assert shown is not None, "what is removed was there"  # noqa: S101  narrows
            return StoredBudget(shown, _etag_of(shown), is_new=before is None)

        return await retry_lost_races(attempt, UnavailableError("The wallet is being changed by many at once"))


def _found(wallet: Wallet, organization_id: str, budget_id: str) -> Budget | None:
    own = (budget for budget in wallet.budgets if budget.organization_id == organization_id)
    return next((budget for budget in own if budget.id == budget_id), None)


def _unknown() -> NotFoundError:
    return NotFoundError("There is no such budget")


def _etag_of(budget: Budget) -> str:
    return fingerprint(msgspec.json.encode(budget, order="sorted"))[:32]


def _note(organization_id: str, budget_id: str, before: Budget | None, after: Budget | None) -> Operation:
    verb = "create" if before is None else "delete" if after is None else "update"
    old, new = _fields(before), _fields(after)
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    details = {name: {"before": old.get(name), "after": new.get(name)} for name in names}
    return noting(f"budgets.{verb}", Target("budget", budget_id), (organization_id,), details=details)


def _fields(budget: Budget | None) -> dict[str, Any]:
    if budget is None:
        return {}
    hidden = ("id", "organization_id", "created_at")
    return {name: value for name, value in msgspec.to_builtins(budget).items() if name not in hidden}
