"""Every alert asks for what exists, and each way of going wrong has one."""

import re
from typing import Any, NamedTuple

import pytest

from tests.infra.refusals import Refusal
from tools.infra.app import triggers
from tools.infra.snapshots import SHAPES, Snapshot, changed, dropped, snapshot

METRIC_ALERT = "Microsoft.Insights/metricAlerts"
LOG_ALERT = "Microsoft.Insights/scheduledQueryRules"
ACTIVITY_ALERT = "Microsoft.Insights/activityLogAlerts"
REFERENCE = "learn.microsoft.com/azure/azure-monitor/reference/supported-metrics"


class Metric(NamedTuple):
    aggregations: set[str]
    dimensions: set[str]
    source: str


BROKER_SOURCE = f"{REFERENCE}/microsoft-servicebus-namespaces-metrics"
METRICS = {
    ("Microsoft.ServiceBus/namespaces", "ActiveMessages"): Metric(
        {"Average", "Minimum", "Maximum"}, {"EntityName"}, BROKER_SOURCE
    ),
    ("Microsoft.ServiceBus/namespaces", "DeadletteredMessages"): Metric(
        {"Average", "Minimum", "Maximum"}, {"EntityName"}, BROKER_SOURCE
    ),
    ("Microsoft.DocumentDB/databaseAccounts", "TotalRequests"): Metric(
        {"Count"},
        {"DatabaseName", "CollectionName", "Region", "StatusCode", "OperationType", "Status", "CapacityType"},
        f"{REFERENCE}/microsoft-documentdb-databaseaccounts-metrics",
    ),
}
"""What Azure offers of the metrics that are used."""

REQUESTS = {"success", "resultCode", "itemCount", "operation_Name"}
TABLES = {
    "requests": REQUESTS,  # learn.microsoft.com/azure/azure-monitor/reference/tables/apprequests
    "Usage": {"IsBillable", "Quantity"},  # learn.microsoft.com/azure/azure-monitor/reference/tables/usage
}
KEYWORDS = {"where", "summarize", "by", "sum", "toint", "and", "or", "false", "true"}


def check_metrics(deployment: Snapshot) -> None:
    for alert in deployment.of(METRIC_ALERT):
        (scope,) = alert.properties["scopes"]
        (criterion,) = alert.properties["criteria"]["allOf"]
        metric = METRICS[criterion["metricNamespace"], criterion["metricName"]]
        assert f"/providers/{criterion['metricNamespace']}/" in scope
        assert criterion["timeAggregation"] in metric.aggregations
        assert {dimension["name"] for dimension in criterion["dimensions"]} <= metric.dimensions


def check_queries(deployment: Snapshot) -> None:
    """Check that queries are of columns that the table has.

    A new workspace, which has no tables yet, must not stop the deployment.
    """
    for alert in deployment.of(LOG_ALERT):
        assert alert.properties["skipQueryValidation"] is True
        (criterion,) = alert.properties["criteria"]["allOf"]
        table, *steps = re.sub(r'"[^"]*"', "", criterion["query"]).split("|")
        made = set(re.findall(r"(\w+) = ", criterion["query"]))
        named = {word for step in steps for word in re.findall(r"[A-Za-z_]\w*", step)}
        assert named - KEYWORDS - made <= TABLES[table.strip()]
        assert criterion.get("metricMeasureColumn") in (made or {None})


def check_told(deployment: Snapshot) -> None:
    """Whoever has an address is told of all alerts."""
    (group,) = deployment.of("Microsoft.Insights/actionGroups")
    metric = [alert.properties["actions"] for alert in deployment.of(METRIC_ALERT)]
    log = [alert.properties["actions"] for alert in deployment.of(LOG_ALERT)]
    activity = [alert.properties["actions"] for alert in deployment.of(ACTIVITY_ALERT)]
    assert all(actions == [{"actionGroupId": group.id}] for actions in metric)
    assert all(actions == {"actionGroups": [group.id]} for actions in log)
    assert all(actions == {"actionGroups": [{"actionGroupId": group.id}]} for actions in activity)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("check", [check_metrics, check_queries])
def test_every_alert_asks_for_what_exists(check, shape):
    check(snapshot(shape))


@pytest.mark.parametrize("shape", ["large", "private", "private-large"])
def test_whoever_has_an_address_is_told(shape: str):
    check_told(snapshot(shape))


CRITERION = "properties/criteria/allOf/0"
REFUSED = {
    "an alert without its metric": Refusal(check_metrics, dropped(METRIC_ALERT, f"{CRITERION}/metricName")),
    "a metric that does not exist": Refusal(check_metrics, changed(METRIC_ALERT, f"{CRITERION}/metricName", "Letters")),
    "a metric of another service": Refusal(check_metrics, changed(METRIC_ALERT, "properties/scopes/0", "/elsewhere")),
    "an aggregation that the metric lacks": Refusal(
        check_metrics, changed(METRIC_ALERT, f"{CRITERION}/timeAggregation", "Total")
    ),
    "a dimension that the metric lacks": Refusal(
        check_metrics, changed(METRIC_ALERT, f"{CRITERION}/dimensions/0/name", "Queue")
    ),
    "a column that the table lacks": Refusal(
        check_queries, changed(LOG_ALERT, f"{CRITERION}/query", "requests | where status >= 500")
    ),
    "a query checked against no tables": Refusal(check_queries, dropped(LOG_ALERT, "properties/skipQueryValidation")),
    "an alert that nobody hears": Refusal(check_told, changed(METRIC_ALERT, "properties/actions", []), shape="private"),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_another_alert_is_refused(refused: str):
    REFUSED[refused].is_shown()


def metric_criterion(name: str) -> dict[str, Any]:
    (alert,) = (each for each in snapshot("default").of(METRIC_ALERT) if each.name.startswith(name))
    assert alert.properties["windowSize"] == "PT15M"
    criterion: dict[str, Any] = alert.properties["criteria"]["allOf"][0]
    return criterion


def log_criterion(name: str) -> dict[str, Any]:
    (alert,) = (each for each in snapshot("default").of(LOG_ALERT) if each.name.startswith(name))
    criterion: dict[str, Any] = alert.properties["criteria"]["allOf"][0]
    return criterion


@pytest.mark.parametrize(("name", "threshold"), [("dead-letters", 0), ("waiting-messages", 999)])
def test_one_busy_minute_of_a_queue_is_no_alert(name: str, threshold: int):
    """Each queue by itself, and only what was above the threshold the whole time."""
    criterion = metric_criterion(name)
    assert criterion["dimensions"] == [{"name": "EntityName", "operator": "Include", "values": ["*"]}]
    assert (criterion["timeAggregation"], criterion["operator"]) == ("Minimum", "GreaterThan")
    assert criterion["threshold"] == threshold


def test_a_function_that_fails_is_noticed_whatever_triggers_it():
    """The platform reports the function's success, which an HTTP function has when it answers 500."""
    query = log_criterion("failed-invocations")["query"]
    assert (
        "where (success == false and toint(resultCode) == 0)"
        " or (toint(resultCode) >= 500 and toint(resultCode) != 503)" in query
    )


def test_a_503_has_an_alert_of_its_own():
    assert "where toint(resultCode) == 503" in log_criterion("unavailable")["query"]


def test_a_dead_app_is_noticed():
    """By a timer that runs every minute, whoever calls or not."""
    assert triggers()["sweep_outbox"]["schedule"] == "30 * * * * *"
    criterion = log_criterion("standstill")
    assert 'operation_Name == "sweep_outbox" and success == true' in criterion["query"]
    assert (criterion["timeAggregation"], criterion["operator"], criterion["threshold"]) == ("Count", "LessThan", 1)


def test_many_logs_are_noticed_and_never_cut_off():
    assert log_criterion("log-volume")["operator"] == "GreaterThan"
    workspace = snapshot("default").one("Microsoft.OperationalInsights/workspaces")
    assert "workspaceCapping" not in workspace.properties


def test_access_to_data_given_to_anybody_is_noticed():
    conditions = snapshot("default").one(ACTIVITY_ALERT).properties["condition"]["allOf"]
    (operations,) = (each["anyOf"] for each in conditions if "anyOf" in each)
    assert {each["equals"] for each in operations} == {
        "Microsoft.Authorization/roleAssignments/write",
        "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments/write",
    }


def test_costs_of_a_month_are_told_only_where_a_budget_is_chosen():
    budget = "Microsoft.Consumption/budgets"
    assert snapshot("default").of(budget) == []
    told = snapshot("large").one(budget).properties["notifications"].values()
    assert {each["thresholdType"]: each["threshold"] for each in told} == {"Actual": 80, "Forecasted": 100}
    assert all(each["enabled"] and each["contactEmails"] == ["operator@example.com"] for each in told)
