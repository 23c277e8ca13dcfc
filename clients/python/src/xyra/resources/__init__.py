"""All resources of the API.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from functools import cached_property

from xyra.resources.agents import AsyncAgents, Agents
from xyra.resources.api_keys import AsyncApiKeys, ApiKeys
from xyra.resources.audit import AsyncAudit, Audit
from xyra.resources.auth import AsyncAuth, Auth
from xyra.resources.billing import AsyncBilling, Billing
from xyra.resources.billing_models import AsyncBillingModels, BillingModels
from xyra.resources.budgets import AsyncBudgets, Budgets
from xyra.resources.coupons import AsyncCoupons, Coupons
from xyra.resources.credit_notes import AsyncCreditNotes, CreditNotes
from xyra.resources.departments import AsyncDepartments, Departments
from xyra.resources.entitlements import AsyncEntitlements, Entitlements
from xyra.resources.events import AsyncEvents, Events
from xyra.resources.exchange_rates import AsyncExchangeRates, ExchangeRates
from xyra.resources.exports import AsyncExports, Exports
from xyra.resources.identity_providers import AsyncIdentityProviders, IdentityProviders
from xyra.resources.ingestion import AsyncIngestion, Ingestion
from xyra.resources.invitations import AsyncInvitations, Invitations
from xyra.resources.invoices import AsyncInvoices, Invoices
from xyra.resources.limits import AsyncLimits, Limits
from xyra.resources.llm_costs import AsyncLlmCosts, LlmCosts
from xyra.resources.llm_prices import AsyncLlmPrices, LlmPrices
from xyra.resources.members import AsyncMembers, Members
from xyra.resources.operator import AsyncOperator, Operator
from xyra.resources.organizations import AsyncOrganizations, Organizations
from xyra.resources.outcomes import AsyncOutcomes, Outcomes
from xyra.resources.periods import AsyncPeriods, Periods
from xyra.resources.plans import AsyncPlans, Plans
from xyra.resources.projects import AsyncProjects, Projects
from xyra.resources.runs import AsyncRuns, Runs
from xyra.resources.service_accounts import AsyncServiceAccounts, ServiceAccounts
from xyra.resources.subscriptions import AsyncSubscriptions, Subscriptions
from xyra.resources.tax_rates import AsyncTaxRates, TaxRates
from xyra.resources.threads import AsyncThreads, Threads
from xyra.resources.usage import AsyncUsage, Usage
from xyra.resources.users import AsyncUsers, Users
from xyra.connection import AsyncConnection, Connection


class Resources:
    """What a client has of the API, but for credits."""

    connection: Connection

    @cached_property
    def agents(self) -> Agents:
        return Agents(self.connection)

    @cached_property
    def api_keys(self) -> ApiKeys:
        return ApiKeys(self.connection)

    @cached_property
    def audit(self) -> Audit:
        return Audit(self.connection)

    @cached_property
    def auth(self) -> Auth:
        return Auth(self.connection)

    @cached_property
    def billing(self) -> Billing:
        return Billing(self.connection)

    @cached_property
    def billing_models(self) -> BillingModels:
        return BillingModels(self.connection)

    @cached_property
    def budgets(self) -> Budgets:
        return Budgets(self.connection)

    @cached_property
    def coupons(self) -> Coupons:
        return Coupons(self.connection)

    @cached_property
    def credit_notes(self) -> CreditNotes:
        return CreditNotes(self.connection)

    @cached_property
    def departments(self) -> Departments:
        return Departments(self.connection)

    @cached_property
    def entitlements(self) -> Entitlements:
        return Entitlements(self.connection)

    @cached_property
    def events(self) -> Events:
        return Events(self.connection)

    @cached_property
    def exchange_rates(self) -> ExchangeRates:
        return ExchangeRates(self.connection)

    @cached_property
    def exports(self) -> Exports:
        return Exports(self.connection)

    @cached_property
    def identity_providers(self) -> IdentityProviders:
        return IdentityProviders(self.connection)

    @cached_property
    def ingestion(self) -> Ingestion:
        return Ingestion(self.connection)

    @cached_property
    def invitations(self) -> Invitations:
        return Invitations(self.connection)

    @cached_property
    def invoices(self) -> Invoices:
        return Invoices(self.connection)

    @cached_property
    def limits(self) -> Limits:
        return Limits(self.connection)

    @cached_property
    def llm_costs(self) -> LlmCosts:
        return LlmCosts(self.connection)

    @cached_property
    def llm_prices(self) -> LlmPrices:
        return LlmPrices(self.connection)

    @cached_property
    def members(self) -> Members:
        return Members(self.connection)

    @cached_property
    def operator(self) -> Operator:
        return Operator(self.connection)

    @cached_property
    def organizations(self) -> Organizations:
        return Organizations(self.connection)

    @cached_property
    def outcomes(self) -> Outcomes:
        return Outcomes(self.connection)

    @cached_property
    def periods(self) -> Periods:
        return Periods(self.connection)

    @cached_property
    def plans(self) -> Plans:
        return Plans(self.connection)

    @cached_property
    def projects(self) -> Projects:
        return Projects(self.connection)

    @cached_property
    def runs(self) -> Runs:
        return Runs(self.connection)

    @cached_property
    def service_accounts(self) -> ServiceAccounts:
        return ServiceAccounts(self.connection)

    @cached_property
    def subscriptions(self) -> Subscriptions:
        return Subscriptions(self.connection)

    @cached_property
    def tax_rates(self) -> TaxRates:
        return TaxRates(self.connection)

    @cached_property
    def threads(self) -> Threads:
        return Threads(self.connection)

    @cached_property
    def usage(self) -> Usage:
        return Usage(self.connection)

    @cached_property
    def users(self) -> Users:
        return Users(self.connection)


class AsyncResources:
    """What a client has of the API, but for credits."""

    connection: AsyncConnection

    @cached_property
    def agents(self) -> AsyncAgents:
        return AsyncAgents(self.connection)

    @cached_property
    def api_keys(self) -> AsyncApiKeys:
        return AsyncApiKeys(self.connection)

    @cached_property
    def audit(self) -> AsyncAudit:
        return AsyncAudit(self.connection)

    @cached_property
    def auth(self) -> AsyncAuth:
        return AsyncAuth(self.connection)

    @cached_property
    def billing(self) -> AsyncBilling:
        return AsyncBilling(self.connection)

    @cached_property
    def billing_models(self) -> AsyncBillingModels:
        return AsyncBillingModels(self.connection)

    @cached_property
    def budgets(self) -> AsyncBudgets:
        return AsyncBudgets(self.connection)

    @cached_property
    def coupons(self) -> AsyncCoupons:
        return AsyncCoupons(self.connection)

    @cached_property
    def credit_notes(self) -> AsyncCreditNotes:
        return AsyncCreditNotes(self.connection)

    @cached_property
    def departments(self) -> AsyncDepartments:
        return AsyncDepartments(self.connection)

    @cached_property
    def entitlements(self) -> AsyncEntitlements:
        return AsyncEntitlements(self.connection)

    @cached_property
    def events(self) -> AsyncEvents:
        return AsyncEvents(self.connection)

    @cached_property
    def exchange_rates(self) -> AsyncExchangeRates:
        return AsyncExchangeRates(self.connection)

    @cached_property
    def exports(self) -> AsyncExports:
        return AsyncExports(self.connection)

    @cached_property
    def identity_providers(self) -> AsyncIdentityProviders:
        return AsyncIdentityProviders(self.connection)

    @cached_property
    def ingestion(self) -> AsyncIngestion:
        return AsyncIngestion(self.connection)

    @cached_property
    def invitations(self) -> AsyncInvitations:
        return AsyncInvitations(self.connection)

    @cached_property
    def invoices(self) -> AsyncInvoices:
        return AsyncInvoices(self.connection)

    @cached_property
    def limits(self) -> AsyncLimits:
        return AsyncLimits(self.connection)

    @cached_property
    def llm_costs(self) -> AsyncLlmCosts:
        return AsyncLlmCosts(self.connection)

    @cached_property
    def llm_prices(self) -> AsyncLlmPrices:
        return AsyncLlmPrices(self.connection)

    @cached_property
    def members(self) -> AsyncMembers:
        return AsyncMembers(self.connection)

    @cached_property
    def operator(self) -> AsyncOperator:
        return AsyncOperator(self.connection)

    @cached_property
    def organizations(self) -> AsyncOrganizations:
        return AsyncOrganizations(self.connection)

    @cached_property
    def outcomes(self) -> AsyncOutcomes:
        return AsyncOutcomes(self.connection)

    @cached_property
    def periods(self) -> AsyncPeriods:
        return AsyncPeriods(self.connection)

    @cached_property
    def plans(self) -> AsyncPlans:
        return AsyncPlans(self.connection)

    @cached_property
    def projects(self) -> AsyncProjects:
        return AsyncProjects(self.connection)

    @cached_property
    def runs(self) -> AsyncRuns:
        return AsyncRuns(self.connection)

    @cached_property
    def service_accounts(self) -> AsyncServiceAccounts:
        return AsyncServiceAccounts(self.connection)

    @cached_property
    def subscriptions(self) -> AsyncSubscriptions:
        return AsyncSubscriptions(self.connection)

    @cached_property
    def tax_rates(self) -> AsyncTaxRates:
        return AsyncTaxRates(self.connection)

    @cached_property
    def threads(self) -> AsyncThreads:
        return AsyncThreads(self.connection)

    @cached_property
    def usage(self) -> AsyncUsage:
        return AsyncUsage(self.connection)

    @cached_property
    def users(self) -> AsyncUsers:
        return AsyncUsers(self.connection)
