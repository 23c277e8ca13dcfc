"""What an idle month costs, and that more than the limit is noticed."""

import pytest

from tools.infra.app import scale_groups
from tools.infra.costs import costs, runs_of_timers, too_dear
from tools.infra.snapshots import SHAPES, Edit, changed, snapshot

BROKER = "Microsoft.ServiceBus/namespaces"
LEDGERS = "sqlDatabases/containers ledgers"


@pytest.mark.parametrize("shape", SHAPES)
def test_an_idle_month_stays_below_its_limit(shape: str):
    assert too_dear({shape: sum(costs(snapshot(shape)).values())}) == []


@pytest.mark.parametrize(
    ("shape", "edit"),
    [
        ("default", changed(BROKER, "sku", {"name": "Premium", "tier": "Premium", "capacity": 1})),
        ("large", changed(LEDGERS, "properties/options/autoscaleSettings/maxThroughput", 40000)),
        ("private", changed("Microsoft.Web/serverfarms", "properties/zoneRedundant", value=True)),
        ("private-large", changed(BROKER, "sku/capacity", 2)),
    ],
    ids=["a premium broker", "twice the throughput", "zones", "two messaging units"],
)
def test_what_costs_more_is_noticed(shape: str, edit: Edit):
    assert too_dear({shape: sum(costs(snapshot(shape, edit)).values())}) == [shape]


def test_zones_bill_two_instances_for_each_scale_group():
    """2 GB at $0.000004 for a GB-second: $21.02 a month each."""
    ready = costs(snapshot("large"))["instances that are always ready"]
    assert ready == pytest.approx(2 * len(scale_groups()) * 21.024)


def test_every_run_of_a_timer_is_counted():
    assert runs_of_timers() >= 730 * 60, "sweep_outbox runs every minute"
