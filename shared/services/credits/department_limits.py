"""Limits of departments: hard budgets for a day and a month, checked in the same batch as each use."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shared.domain.credits.budgets import MAXIMUM_BUDGETS, Budget
from shared.domain.credits.counters import counter_id, new_counter
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.credits.wallet import Wallet
from shared.domain.credits.windows import WindowName, windows_at
from shared.domain.kernel.audit import Target
from shared.domain.kernel.errors import ConflictError, NotFoundError, PreconditionFailedError, UnavailableError
from shared.domain.kernel.ids import fingerprint, named_id
from shared.domain.kernel.money import plain
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.ports.wallets import Wallets, Wanted
from shared.services.credits.paying import Paying
from shared.services.credits.present_counters import PresentCounters
from shared.services.storage import Operation, look_twice, noting, retry_lost_races
from shared.services.tenancy.departments import Departments

_WINDOWS: tuple[WindowName, ...] = ("day", "month")


@dataclass(frozen=True, slots=True)
class DepartmentLimit:
    """Of one window."""

    limit: Decimal | None
    """None for no limit."""
    spent: Decimal
    """What was spent and is held in the present window."""


@dataclass(frozen=True, slots=True)
class LimitsOfDepartment:
    department_id: str
    daily: DepartmentLimit
    monthly: DepartmentLimit
    etag: str


class DepartmentLimits:
    """They lie in the wallet that pays: a batch on other limits than the head names is decided anew."""

    def __init__(self, wallets: Wallets, clock: Clock, paying: Paying, departments: Departments) -> None:
        self._wallets = wallets
        self._clock = clock
        self._paying = paying
        self._departments = departments
        self._present = PresentCounters(wallets, paying)

    async def of(self, organization_id: str, department_id: str) -> LimitsOfDepartment:
        """Raises `NotFoundError`."""
        await self._check(organization_id, department_id)
        organization, wallet = await self._paying.read(organization_id, Wanted())
        empty = new_counter("department", organization_id, department_id)
        wallet, counter = await self._present.read(wallet.payer, empty, organization, self._clock.now())
        wallet.counters[counter.id] = counter
        return self._shown(wallet, organization, department_id)

    async def put(
        self,
        organization_id: str,
        department_id: str,
        daily: Decimal | None,
        monthly: Decimal | None,
        if_match: str | None,
    ) -> LimitsOfDepartment:
        """Replace both; they bind what is admitted from now on.

        Raises `NotFoundError`, `PreconditionFailedError`, and `ConflictError` where the wallet has too many budgets.
        """
        await self._check(organization_id, department_id)
        wanted = {name: limit for name, limit in zip(_WINDOWS, (daily, monthly), strict=True) if limit is not None}

        async def attempt() -> LimitsOfDepartment:
            paid = await self._paying.wallet_of(organization_id)
            stored = await self._wallets.read(paid.payer, _wanted(organization_id, department_id))
            stored.wallet.check_member(organization_id)
            await self._paying.shares.complete(
                stored.wallet, organization_id, [counter_id("department", organization_id, department_id)]
            )
            before = _limits_in(stored.wallet, organization_id, department_id)
            if if_match not in (None, _etag_of(before)):
                raise PreconditionFailedError("The limits have changed since they were read")
            wallet = stored.wallet.copy()
            if before != wanted:
                _put(wallet, organization_id, department_id, wanted)
                wallet.finish()
                note = _note(organization_id, department_id, before, wanted)
                await self._wallets.commit(stored, wallet, [note])
            return self._shown(wallet, paid.organization, department_id)

        return await retry_lost_races(attempt, UnavailableError("The wallet is being changed by many at once"))

    async def _check(self, organization_id: str, department_id: str) -> None:
        """Raises `NotFoundError`, after a second look: a read may miss what is new."""
        await look_twice(lambda: self._departments.get(organization_id, department_id), errors=(NotFoundError,))

    def _shown(self, wallet: Wallet, organization: Organization, department_id: str) -> LimitsOfDepartment:
        counter = counter_id("department", organization.id, department_id)
        windows = {window.name: window for window in windows_at(self._clock.now(), organization.calendars)}
        counted = wallet.counters.get(counter) or new_counter("department", organization.id, department_id)
        limits = _limits_in(wallet, organization.id, department_id)
        daily, monthly = (
            DepartmentLimit(limits.get(name), counted.spending(DEFAULT_KIND, windows[name]).total) for name in _WINDOWS
        )
        return LimitsOfDepartment(department_id, daily, monthly, _etag_of(limits))


def _wanted(organization_id: str, department_id: str) -> Wanted:
    counter = counter_id("department", organization_id, department_id)
    return Wanted(counters=frozenset({counter}), members=frozenset({organization_id}))


def _put(wallet: Wallet, organization_id: str, department_id: str, limits: Mapping[WindowName, Decimal]) -> None:
    """Raises `ConflictError` where the wallet has too many budgets."""
    ids = {_budget_id(organization_id, department_id, name) for name in _WINDOWS}
    kept = [budget for budget in wallet.budgets if budget.id not in ids]
    budgets = (*kept, *_budgets(organization_id, department_id, limits))
    if len(budgets) > MAXIMUM_BUDGETS:
        raise ConflictError(f"The wallet has {MAXIMUM_BUDGETS} budgets: remove limits of other departments")
    wallet.put_budgets(budgets)


def _limits_in(wallet: Wallet, organization_id: str, department_id: str) -> dict[WindowName, Decimal]:
    by_id = {budget.id: budget for budget in wallet.budgets}
    ids = {name: _budget_id(organization_id, department_id, name) for name in _WINDOWS}
    return {name: by_id[id_].limit for name, id_ in ids.items() if id_ in by_id}


def _budgets(organization_id: str, department_id: str, limits: Mapping[WindowName, Decimal]) -> list[Budget]:
    return [
        Budget(
            id=_budget_id(organization_id, department_id, name),
            organization_id=organization_id,
            scope="department",
            reference=department_id,
            window=name,
            limit=limit,
        )
        for name, limit in limits.items()
    ]


def is_department_limit(budget: Budget) -> bool:
    """Whether a budget is one of these limits, and not one that callers name."""
    return budget.scope == "department" and budget.id == _budget_id(
        budget.organization_id, budget.reference, budget.window
    )


def _budget_id(organization_id: str, department_id: str, window: WindowName) -> str:
    return named_id("bud", organization_id, "department", department_id, window)


def _etag_of(limits: Mapping[WindowName, Decimal]) -> str:
    return fingerprint(" ".join(f"{name} {plain(limit)}" for name, limit in sorted(limits.items())))[:32]


def _note(
    organization_id: str,
    department_id: str,
    before: Mapping[WindowName, Decimal],
    after: Mapping[WindowName, Decimal],
) -> Operation:
    changes: dict[str, Any] = {
        name: {"before": _text(before.get(name)), "after": _text(after.get(name))}
        for name in _WINDOWS
        if before.get(name) != after.get(name)
    }
    target = Target("department", department_id)
    return noting("department_limits.update", target, (organization_id,), details=changes)


def _text(limit: Decimal | None) -> str | None:
    return None if limit is None else plain(limit)
