"""Functions are deployed under their names: alerts, settings and the order of routes rest on them."""

import json

import function_app
from tests.places import DATA

ADDED = {
    "accept_invitation",
    "activate_user",
    "adopt_api_key",
    "change_password",
    "create_invitation",
    "capture_hold",
    "create_llm_alias",
    "create_staff_user",
    "deactivate_api_key",
    "deactivate_user",
    "delete_llm_alias",
    "delete_user",
    "docs_script",
    "end_session",
    "export_langfuse_traces",
    "export_logs",
    "export_metrics",
    "export_traces",
    "find_run_by_key",
    "get_action_costs",
    "get_api_key",
    "get_credit_balance",
    "get_credit_statement",
    "get_credit_transaction",
    "get_credit_verification",
    "get_ingestion",
    "get_limits",
    "get_llm_alias",
    "get_organization_settings",
    "get_own_user",
    "get_user",
    "ingest_litellm_payloads",
    "ingest_openmeter_events",
    "list_audit_entries",
    "list_invitations",
    "give_credits",
    "list_credit_grants",
    "list_credit_transactions",
    "list_llm_aliases",
    "list_llm_costs",
    "list_members",
    "list_public_keys",
    "list_sessions",
    "list_users",
    "log_out",
    "log_out_everywhere",
    "price_aliased_calls",
    "put_limits",
    "put_action_cost",
    "reconcile_llm_costs",
    "refresh_session",
    "remove_member",
    "replace_organization_settings",
    "show_me",
    "switch_organization",
    "refund_credits",
    "release_hold",
    "reserve_credits",
    "update_api_key",
    "update_member",
    "update_own_user",
    "update_user",
    "withdraw_invitation",
    "use_credits",
    "verify_credits",
    "zz_unknown_route",
}
"""Since the code was arranged by areas."""


def test_functions_have_the_names_that_they_had() -> None:
    before = json.loads((DATA / "before_areas" / "function_names.json").read_bytes())
    # Not by `get_functions`, which an app allows once.
    names = {builder._function.get_function_name() for builder in function_app.app._function_builders}
    assert names == {*before, *ADDED}
