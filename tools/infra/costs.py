"""What a month without use costs, in US dollars.

The figures come from the snapshots and a dated price list. Left out: storage, the vault and its secrets (cents), and
logs, which stay within the free 5 GB of a month.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any

from croniter import croniter

from tools.infra.app import scale_groups, triggers
from tools.infra.snapshots import SHAPES, Snapshot, snapshot

_LIST = json.loads(Path(__file__).with_name("prices.json").read_text())
PRICE: dict[str, float] = {name: price for name, (price, _) in _LIST["prices"].items()}

LIMITS = {"default": 20, "large": 700, "private": 800, "private-large": 1450}
"""Dollars a month that an idle deployment may cost."""

APP = "Microsoft.Web/sites"
HOURS = 730
DAYS = HOURS / 24
SECONDS_OF_A_RUN = 1
"""Of a timer function that finds nothing to do: what is billed at least."""
RU_OF_A_RUN = 20
"""It looks into each container, at 3 RU."""
INSTANCES_OF_A_GROUP = 2
"""Kept and billed by the platform where zones are chosen, whatever is configured."""


def costs(deployment: Snapshot) -> dict[str, float]:
    """Dollars a month, by what they are paid for."""
    return {
        "Service Bus": _broker(deployment),
        "Cosmos DB": _store(deployment),
        "instances that are always ready": _always_ready(deployment),
        "runs of timers": _timers(deployment),
        "private network": _network(deployment),
        "alerts": _alerts(deployment),
    }


def _broker(deployment: Snapshot) -> float:
    sku = deployment.one("Microsoft.ServiceBus/namespaces").body["sku"]
    if sku["tier"] == "Premium":
        return HOURS * float(sku["capacity"]) * PRICE["Service Bus premium, hour of a messaging unit"]
    return HOURS * PRICE["Service Bus standard, hour"]


def _store(deployment: Snapshot) -> float:
    """What the store costs.

    An idle container with autoscale is billed at a tenth of its maximum, also in an account with zones.
    """
    containers = deployment.of("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers")
    options = [container.properties["options"] for container in containers]
    maximum = sum(each["autoscaleSettings"]["maxThroughput"] for each in options if each)
    if not maximum:
        return runs_of_timers() * RU_OF_A_RUN / 1_000_000 * PRICE["Cosmos DB serverless, million RU"]
    return HOURS * maximum / 10 / 100 * PRICE["Cosmos DB autoscale, hour of 100 RU/s"]


def _always_ready(deployment: Snapshot) -> float:
    ready = {group["name"]: group["instanceCount"] for group in _scale(deployment)["alwaysReady"]}
    if _has_zones(deployment):
        ready = {group: max(INSTANCES_OF_A_GROUP, ready.get(group, 0)) for group in scale_groups()}
    seconds = sum(ready.values()) * HOURS * 3600
    return seconds * _gigabytes(deployment) * PRICE["Flex Consumption always ready, GB-second"]


def _timers(deployment: Snapshot) -> float:
    used = runs_of_timers() * SECONDS_OF_A_RUN * _gigabytes(deployment)
    if _has_zones(deployment):
        return used * PRICE["Flex Consumption always ready at work, GB-second"]
    paid = max(0.0, used - PRICE["Flex Consumption on demand, free GB-seconds of a month"])
    return paid * PRICE["Flex Consumption on demand, GB-second"]


def _scale(deployment: Snapshot) -> dict[str, Any]:
    scale: dict[str, Any] = deployment.one(APP).properties["functionAppConfig"]["scaleAndConcurrency"]
    return scale


def _gigabytes(deployment: Snapshot) -> float:
    """Memory of one instance."""
    return float(_scale(deployment)["instanceMemoryMB"]) / 1024


def _has_zones(deployment: Snapshot) -> bool:
    return bool(deployment.one("Microsoft.Web/serverfarms").properties["zoneRedundant"])


def runs_of_timers() -> float:
    """In a month, of all timer functions together."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    schedules = [trigger["schedule"] for trigger in triggers().values() if trigger["type"] == "timerTrigger"]
    return sum(_runs_of_a_day(schedule, start) for schedule in schedules) * DAYS


def _runs_of_a_day(schedule: str, start: datetime) -> int:
    end = start + timedelta(days=1)
    runs = croniter(schedule, start - timedelta(seconds=1), second_at_beginning=True).all_next(datetime)
    return sum(1 for _ in takewhile(lambda run: run < end, runs))


def _network(deployment: Snapshot) -> float:
    hourly = {
        "privateEndpoints": PRICE["Private endpoint, hour"],
        "natGateways": PRICE["NAT gateway of either SKU, hour"],
        "publicIPAddresses": PRICE["Public address, hour"],
    }
    zones = len(deployment.of("Microsoft.Network/privateDnsZones"))
    return zones * PRICE["Private DNS zone, month"] + HOURS * sum(
        price * len(deployment.of(f"Microsoft.Network/{kind}")) for kind, price in hourly.items()
    )


def _alerts(deployment: Snapshot) -> float:
    queues = len(deployment.of("Microsoft.ServiceBus/namespaces/queues"))
    series = sum(
        queues if dimension["values"] == ["*"] else len(dimension["values"])
        for alert in deployment.of("Microsoft.Insights/metricAlerts")
        for dimension in alert.properties["criteria"]["allOf"][0]["dimensions"]
    )
    queries = sum(
        PRICE[f"Log alert every {alert.properties['evaluationFrequency']}, month"]
        for alert in deployment.of("Microsoft.Insights/scheduledQueryRules")
    )
    return series * PRICE["Metric alert, month of a time series"] + queries


def too_dear(totals: dict[str, float]) -> list[str]:
    """The snapshots whose total is above the limit."""
    return [shape for shape, total in totals.items() if total > LIMITS[shape]]


def main() -> int:
    table = {shape: costs(snapshot(shape)) for shape in SHAPES}
    totals = {shape: sum(table[shape].values()) for shape in SHAPES}
    rows = {name: [table[shape][name] for shape in SHAPES] for name in table["default"]}
    rows |= {"together": list(totals.values()), "at most": [float(LIMITS[shape]) for shape in SHAPES]}
    print(f"{'An idle month, in dollars':32}" + "".join(f"{shape:>15}" for shape in SHAPES))
    for name, amounts in rows.items():
        print(f"{name:32}" + "".join(f"{amount:15,.2f}" for amount in amounts))
    print(f"List prices of {_LIST['date']} ({_LIST['list']}), each with its source in tools/infra/prices.json.")
    for shape in (dear := too_dear(totals)):
        print(f"{shape} costs more than ${LIMITS[shape]:,}")
    return 1 if dear else 0


if __name__ == "__main__":
    sys.exit(main())
