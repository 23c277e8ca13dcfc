"""Wires the services of credits: a part of the application."""

from collections.abc import Mapping

from shared.adapters.credits.item_credit_archives import ItemCreditArchives
from shared.adapters.credits.item_wallets import ItemWallets
from shared.adapters.usage.item_metered_sums import ItemMeteredSums
from shared.domain.kernel.entity import Entity
from shared.ports.clock import Clock, StoreTime
from shared.ports.store import Store
from shared.services.access.accounts import SIGNED_UP
from shared.services.access.api_keys import ApiKeys
from shared.services.agents.agents import Agents
from shared.services.credits.action_costs import ActionCosts
from shared.services.credits.archiving import Archiving, DueCut
from shared.services.credits.balances import Balances
from shared.services.credits.budgets import Budgets
from shared.services.credits.clawbacks import Clawbacks
from shared.services.credits.counter_shares import COUNTERS_MOVED
from shared.services.credits.credit_alerts import CREDIT_ALERTS, CreditAlerts
from shared.services.credits.department_limits import DepartmentLimits
from shared.services.credits.due_holds import DueHold, DueHolds, DueLease
from shared.services.credits.later_parts import CLAWBACK_GOES_ON, REFUND_GOES_ON
from shared.services.credits.leasing import Leases
from shared.services.credits.ledger import Ledger
from shared.services.credits.metered_counting import DueMeteredSums, MeteredCounting
from shared.services.credits.monthly_credits import MonthlyCredits
from shared.services.credits.paying import Paying
from shared.services.credits.refunding import Refunds
from shared.services.credits.run_limits import RunLimits
from shared.services.credits.spending import Spending, SpendingContexts
from shared.services.credits.statements import Statements
from shared.services.credits.top_ups import DueTopUp, TopUps
from shared.services.credits.transfer_history import TransferHistory
from shared.services.credits.usage import CreditUsage
from shared.services.credits.verification import CreditVerification, Verifications
from shared.services.periods.periods import Periods
from shared.services.storage import Outbox
from shared.services.storage.outbox import Completion, Receiver
from shared.services.tenancy.departments import Departments
from shared.services.tenancy.organizations import Organizations
from shared.services.usage.events import Events


class CreditServices:
    """What the application has as `credits`."""

    def __init__(  # noqa: PLR0913  what all of them stand on
        self,
        store: Store,
        clock: Clock,
        organizations: Organizations,
        agents: Agents,
        outbox: Outbox,
        store_time: StoreTime,
        departments: Departments,
        periods: Periods,
        api_keys: ApiKeys,
        events: Events,
    ) -> None:
        self.wallets = wallets = ItemWallets(store)
        archives = ItemCreditArchives(store)
        history = TransferHistory(wallets, archives)
        self.alerts = CreditAlerts(store, outbox)
        self.ledger = Ledger(wallets, clock, organizations, outbox, store_time, self.alerts)
        self.clawbacks = Clawbacks(self.ledger)
        self.due_holds = DueHolds(self.ledger, outbox)
        self.archiving = Archiving(wallets, archives, clock, outbox)
        self.action_costs = ActionCosts(store)
        self.paying = Paying(wallets, self.ledger, clock, organizations, periods)
        self._refunds = Refunds(self.paying, organizations)
        contexts = SpendingContexts(store, agents)
        self.spending = Spending(self.ledger, self.paying, self._refunds, organizations, contexts, self.action_costs)
        self.leases = Leases(wallets, clock, self.paying, organizations, contexts)
        self.balances = Balances(wallets, clock, organizations, self.paying)
        self.statements = Statements(wallets, history)
        self.usage = CreditUsage(history, organizations, self.paying)
        self.department_limits = DepartmentLimits(wallets, clock, self.paying, departments)
        self.metered_counting = MeteredCounting(
            *(ItemMeteredSums(store), wallets, clock, self.paying, self.alerts, outbox)
        )
        self.monthly = MonthlyCredits(wallets, clock, self.paying)
        self.budgets = Budgets(*(store, wallets, clock, self.paying, agents, api_keys, events, self.metered_counting))
        self.run_limits = RunLimits(wallets, clock, self.paying)
        self.top_ups = TopUps(wallets, self.ledger, clock, organizations, outbox)
        self.verifications = Verifications(store, wallets, history, clock, outbox)

    def receivers(self) -> Mapping[str, Receiver]:
        """What effects do here."""
        return {
            SIGNED_UP: self.ledger.begin,
            CREDIT_ALERTS: self.alerts.record,
            COUNTERS_MOVED: self.ledger.shares.send,
            REFUND_GOES_ON: self._refunds.go_on,
            CLAWBACK_GOES_ON: self.clawbacks.go_on,
        }

    def completions(self) -> Mapping[type[Entity], Completion]:
        """What finishes the entities that are due."""
        return {
            DueHold: self.due_holds.complete_due,
            DueLease: self.due_holds.complete_due,
            DueMeteredSums: self.metered_counting.complete_due,
            DueTopUp: self.top_ups.complete_due,
            DueCut: self.archiving.complete_due,
            CreditVerification: self.verifications.complete_due,
        }
