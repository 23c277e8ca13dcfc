"""The paths on which each call fails in turn, and their functions of the app.

To add a path: write a class beside those of its area and declare it in `PATHS`. The test tries it by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.http.routes import UNKNOWN_ROUTE
from tests.faults.in_turn import (
    access,
    account,
    agents,
    billing,
    credits,  # noqa: A004  the area's name
    ingestion,
    late_prices,
    linking,
    links,
    outcomes,
    paid_usage,
    parked_events,
    payers,
    people,
    prepaid,
    pricing,
    storage,
    subscriptions,
    tenancy,
    usage,
)
from tests.faults.in_turn.path import Path


@dataclass(frozen=True)
class DeclaredPath:
    name: str
    path: type[Path]
    functions: tuple[str, ...] = ()
    """The deployed functions whose service call the path walks; empty where another path names them."""


REPORTING = (
    "report_events",
    "report_activity",
    "report_cost",
    "report_llm_call",
    "report_outcome",
    "report_workflows",
)

PATHS = (
    DeclaredPath("accept", usage.Accept, REPORTING),
    DeclaredPath("accept for a new agent", usage.AcceptForNewAgent),
    DeclaredPath("meter", usage.Meter, ("rate_usage",)),
    DeclaredPath("meter for a new agent", usage.MeterForNewAgent),
    DeclaredPath("meter distinct values", usage.MeterDistinctValues),
    DeclaredPath("park what the broker gave up on", parked_events.ParkDeadUsage, ("park_dead_usage",)),
    DeclaredPath("replay", parked_events.Replay, ("replay_parked_events",)),
    DeclaredPath("discard while it is replayed", parked_events.DiscardWhileReplayed, ("discard_parked_event",)),
    DeclaredPath("verify outcomes", outcomes.VerifyOutcomes, ("verify_outcome", "verify_outcomes")),
    DeclaredPath("reject outcomes", outcomes.RejectOutcomes, ("reject_outcome",)),
    DeclaredPath("reverse outcomes", outcomes.ReverseOutcomes, ("reverse_outcome",)),
    DeclaredPath("price calls late", late_prices.PriceLate, ("price_aliased_calls",)),
    DeclaredPath("issue by timer", billing.IssueByTimer, ("start_invoice_runs", "run_invoices")),
    DeclaredPath("issue on request", billing.IssueOnRequest, ("generate_invoices",)),
    DeclaredPath("finalize a draft", billing.Finalize, ("finalize_invoice",)),
    DeclaredPath("pay an invoice", account.PayInvoice, ("pay_invoice",)),
    DeclaredPath("apply balance", account.ApplyBalance, ("apply_balance",)),
    DeclaredPath("remind of an invoice", account.Remind),
    DeclaredPath("cancel an invoice", account.CancelInvoice, ("cancel_invoice",)),
    DeclaredPath("give up a job", billing.GiveUpJob, ("fail_dead_invoice_runs",)),
    DeclaredPath("sweep the outbox", storage.SweepOutbox, ("sweep_outbox",)),
    DeclaredPath("use one idempotency key twice", storage.UseOneKeyTwice),
    DeclaredPath("take traces", ingestion.TakeTraces, ("export_traces", "export_langfuse_traces")),
    DeclaredPath(
        "take calls of LiteLLM", ingestion.TakeLiteLlmCalls, ("ingest_litellm_payloads", "ingest_openmeter_events")
    ),
    DeclaredPath("sign up", access.SignUp, ("sign_up",)),
    DeclaredPath("refresh a session", access.Refresh, ("refresh_session",)),
    DeclaredPath("verify an address", links.VerifyAddress, ("send_verification", "verify_email", "verify_by_page")),
    DeclaredPath(
        "reset a password",
        links.ResetPassword,
        ("forget_password", "forget_by_page", "confirm_password", "reset_by_page"),
    ),
    DeclaredPath("reset a password by support", links.ResetBySupport, ("reset_password",)),
    DeclaredPath("create an API key", access.CreateApiKey, ("create_api_key", "delete_api_key")),
    DeclaredPath(
        "issue a token of a service account",
        access.IssueMachineToken,
        ("issue_service_account_token", "issue_workload_token", "add_workload_client"),
    ),
    DeclaredPath("change an API key", access.ChangeApiKey, ("update_api_key",)),
    DeclaredPath("deactivate an API key", people.DeactivateKey, ("deactivate_api_key", "adopt_api_key")),
    DeclaredPath("invite", people.Invite, ("create_invitation",)),
    DeclaredPath("accept an invitation", people.Accept, ("accept_invitation", "accept_by_page")),
    DeclaredPath("link an account", linking.LinkAccount, ("link_by_page",)),
    DeclaredPath("disable an account", people.Deactivate, ("deactivate_user", "activate_user", "delete_user")),
    DeclaredPath("erase a person", people.Erase, ("erase_user",)),
    DeclaredPath("make an account of staff", people.CreateStaff, ("create_staff_user",)),
    DeclaredPath("change a role", people.ChangeRole, ("update_member",)),
    DeclaredPath("remove a member", people.RemoveMember, ("remove_member",)),
    DeclaredPath("create an agent", agents.CreateAgent, ("create_agent",)),
    DeclaredPath("change an agent's billing model", agents.ChangeModel, ("update_agent",)),
    DeclaredPath("delete an agent", agents.DeleteAgent, ("delete_agent",)),
    DeclaredPath("recount quotas", agents.RecountQuotas),
    DeclaredPath("create a billing model", pricing.CreateModel, ("create_billing_model",)),
    DeclaredPath("publish a version", pricing.PublishVersion, ("publish_billing_model",)),
    DeclaredPath("create a plan", pricing.CreatePlan, ("create_plan", "publish_plan")),
    DeclaredPath("subscribe", subscriptions.BeginSubscription, ("create_subscription",)),
    DeclaredPath(
        "change a subscription",
        subscriptions.ChangeSubscription,
        (
            *("change_subscription", "cancel_subscription", "withdraw_subscription"),
            *("pause_subscription", "resume_subscription"),
        ),
    ),
    DeclaredPath("create an organization", tenancy.CreateOrganization, ("create_organization",)),
    DeclaredPath("give credits", credits.GiveCredits, ("give_credits",)),
    DeclaredPath("use credits", credits.UseCredits, ("use_credits",)),
    DeclaredPath("reserve and capture credits", credits.CaptureCredits, ("reserve_credits", "capture_hold")),
    DeclaredPath("release credits", credits.ReleaseCredits, ("release_hold",)),
    DeclaredPath("expire holds", credits.ExpireHolds),
    DeclaredPath("settle a lease", credits.SettleLease, ("take_lease", "extend_lease", "settle_lease", "end_lease")),
    DeclaredPath("expire leases", credits.ExpireLeases, ("write_off_lease",)),
    DeclaredPath("refund credits", credits.RefundCredits, ("refund_credits",)),
    DeclaredPath("ask for a top-up", credits.AskForTopUp),
    DeclaredPath("archive credits", credits.ArchiveCredits),
    DeclaredPath("verify credits", credits.VerifyCredits, ("verify_credits",)),
    DeclaredPath("limit a department", credits.LimitDepartment, ("put_department_limits",)),
    DeclaredPath("set a budget", credits.SetBudget, ("put_budget",)),
    DeclaredPath("delete a budget", credits.DeleteBudget, ("delete_budget",)),
    DeclaredPath("raise alerts", credits.RaiseAlerts),
    DeclaredPath("count usage", credits.CountUsage),
    DeclaredPath("create a run with a budget", credits.CreateLimitedRun, ("create_run",)),
    DeclaredPath("change the payer", payers.ChangePayer, ("put_payer",)),
    DeclaredPath("move to another payer", payers.MoveToPayer),
    DeclaredPath("capture after a change of payer", payers.CaptureAfterTheChange),
    DeclaredPath("draw usage", prepaid.DrawUsage),
    DeclaredPath("close draws", prepaid.CloseDraws),
    DeclaredPath("lower draws", prepaid.LowerDraws),
    DeclaredPath("meter usage that credits have paid", paid_usage.MeterPaidUsage),
    DeclaredPath("end a payment", paid_usage.EndPayment),
    DeclaredPath("take a payment off", paid_usage.TakePaymentOff, ("take_payment_off",)),
    DeclaredPath("add shards", tenancy.AddShards, ("update_organization",)),
)

_NOTHING_WRITTEN = "writes nothing"
_ONE_WRITE = "one guarded write of one item, that moves no amount of the past"
_ONE_SESSION = "one guarded batch that begins a session, or ends one"
_CLAIM_FIRST = "a claim that is created once, and a guarded write that the same call repeats"
_NO_AMOUNT = "no amount depends on it"

WITHOUT_PATH: Mapping[str, str] = {
    "sign_in": _ONE_SESSION,
    UNKNOWN_ROUTE: _NOTHING_WRITTEN,
    "sign_in_alias": _ONE_SESSION,
    "switch_organization": _ONE_SESSION,
    "log_out": _ONE_SESSION,
    "sign_in_by_page": _ONE_SESSION,
    "change_security": _ONE_WRITE,
    "end_session": _ONE_SESSION,
    "log_out_everywhere": _ONE_WRITE,
    "change_password": _ONE_WRITE,
    "show_second_factor": _ONE_SESSION,
    "enrol_totp": _ONE_WRITE,
    "confirm_totp": _ONE_WRITE,
    "renew_recovery_codes": _ONE_WRITE,
    "remove_totp": _ONE_WRITE,
    "step_up": _ONE_WRITE,
    "put_service_account": _ONE_WRITE,
    "revoke_service_account_token": _ONE_WRITE,
    "remove_workload_client": _ONE_WRITE,
    "create_identity_provider": _ONE_WRITE,
    "verify_domain": _CLAIM_FIRST,
    "start_export": _ONE_WRITE,
    "run_exports": _NO_AMOUNT,
    "update_identity_provider": _ONE_WRITE,
    "remove_identity_provider": _ONE_WRITE,
    "link_account": _ONE_WRITE,
    "offer_passkey": _ONE_WRITE,
    "register_passkey": _ONE_WRITE,
    "remove_passkey": _ONE_WRITE,
    "offer_step_up": _ONE_WRITE,
    "offer_sign_in": _ONE_WRITE,
    "sign_in_by_passkey": _ONE_SESSION,
    "calculate_sketch": _NOTHING_WRITTEN,
    "calculate_billing_model": _NOTHING_WRITTEN,
    "calculate_llm_call": _NOTHING_WRITTEN,
    "validate_workflows": _NOTHING_WRITTEN,
    "reconcile_llm_costs": _NOTHING_WRITTEN,
    "export_logs": _NOTHING_WRITTEN,
    "export_metrics": _NOTHING_WRITTEN,
    "archive_billing_model": _ONE_WRITE,
    "archive_plan": _ONE_WRITE,
    "replace_organization_settings": _ONE_WRITE,
    "withdraw_invitation": _ONE_WRITE,
    "update_user": _ONE_WRITE,
    "update_own_user": _ONE_WRITE,
    "delete_organization": _ONE_WRITE,
    "put_limits": _ONE_WRITE,
    "put_exchange_rate": _ONE_WRITE,
    "put_action_cost": _ONE_WRITE,
    "create_llm_price": _ONE_WRITE,
    "create_llm_alias": _ONE_WRITE,
    "delete_llm_alias": _ONE_WRITE,
    "change_llm_price": _ONE_WRITE,
    "end_llm_price": _ONE_WRITE,
    "update_run": _NO_AMOUNT,
    "create_thread": _NO_AMOUNT,
    "update_thread": _NO_AMOUNT,
    "create_department": _NO_AMOUNT,
    "update_department": _NO_AMOUNT,
    "delete_department": _NO_AMOUNT,
    "create_project": _NO_AMOUNT,
    "update_project": _NO_AMOUNT,
    "archive_project": _NO_AMOUNT,
    "restore_project": _NO_AMOUNT,
    "delete_project": _NO_AMOUNT,
}
"""Functions that are not reads and stand for no path, with the reason."""
