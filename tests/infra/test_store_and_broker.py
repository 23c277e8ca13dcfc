"""The containers and queues of every snapshot are those that the code works with."""

import inspect
import json
import re
from datetime import timedelta
from typing import Any

import pytest

from shared.adapters.cosmos.provisioning import indexing_policy
from shared.adapters.sqlite.queue import LocalQueue
from shared.containers import CONTAINERS, PARTITION_KEY_PATH
from shared.services.storage.retrying import RETRIED_FOR
from tests.infra.refusals import Refusal
from tests.places import ROOT
from tools.infra.app import queue_triggers
from tools.infra.snapshots import INFRA, SHAPES, Edit, Snapshot, changed, copied, dropped, snapshot

ACCOUNT = "Microsoft.DocumentDB/databaseAccounts"
CONTAINER = f"{ACCOUNT}/sqlDatabases/containers"
BROKER = "Microsoft.ServiceBus/namespaces"
QUEUE = f"{BROKER}/queues"
DEAD_LETTERS = "/$deadletterqueue"


def check_containers(deployment: Snapshot) -> None:
    containers = deployment.of(CONTAINER)
    assert sorted(each.name for each in containers) == sorted(CONTAINERS)
    for container in containers:
        resource = container.properties["resource"]
        assert resource["id"] == container.name
        assert resource["partitionKey"] == {"kind": "Hash", "version": 2, "paths": [PARTITION_KEY_PATH]}
        assert resource["defaultTtl"] == -1, "items expire by their own ttl"
        assert _in_order(resource["indexingPolicy"]) == _in_order(indexing_policy(CONTAINERS[container.name]))


def _in_order(policy: dict[str, Any]) -> dict[str, Any]:
    return {key: sorted(value, key=str) if isinstance(value, list) else value for key, value in policy.items()}


def check_queues(deployment: Snapshot) -> None:
    triggers = {trigger["queueName"]: trigger for trigger in queue_triggers().values()}
    queues = deployment.of(QUEUE)
    names = {queue.name for queue in queues}
    assert names | {f"{name}{DEAD_LETTERS}" for name in names} == set(triggers), (
        "a function empties every dead-letter queue"
    )
    local = inspect.signature(LocalQueue.__init__).parameters
    for queue in queues:
        properties = queue.properties
        assert properties["requiresSession"] is triggers[queue.name]["isSessionsEnabled"]
        assert properties["requiresDuplicateDetection"] is True
        window = duration(properties["duplicateDetectionHistoryTimeWindow"])
        assert window.total_seconds() == local["duplicate_window_seconds"].default
        assert properties["maxDeliveryCount"] == local["max_delivery_count"].default
        assert properties["deadLetteringOnMessageExpiration"] is True, "nothing accepted is ever lost"
        assert properties["enablePartitioning"] is False, "one batch carries messages of several sessions"


def check_limits(deployment: Snapshot) -> None:
    """Check that a message is done, or given back, before its lock ends.

    Metering waits out faults well within that.
    """
    for queue in deployment.of(QUEUE):
        assert function_timeout() < duration(queue.properties["lockDuration"])
        assert duration(queue.properties["defaultMessageTimeToLive"]).days >= 14
    assert function_timeout() > 2 * RETRIED_FOR


def function_timeout() -> timedelta:
    hours, minutes, seconds = map(int, json.loads((ROOT / "host.json").read_text())["functionTimeout"].split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def duration(text: str) -> timedelta:
    """ISO 8601, as far as Azure's settings use it."""
    match = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", text)
    assert match, f"{text} is no duration"
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("check", [check_containers, check_queues, check_limits])
def test_every_snapshot_fits_the_code(check, shape):
    check(snapshot(shape))


RESOURCE = "properties/resource"
REFUSED = {
    "a renamed container": Refusal(check_containers, changed(f"{CONTAINER} catalog", "name", "catalogue")),
    "a lost container": Refusal(check_containers, dropped(f"{CONTAINER} inbox")),
    "another partition key path": Refusal(
        check_containers, changed(CONTAINER, f"{RESOURCE}/partitionKey/paths/0", "/id")
    ),
    "a second partition key path": Refusal(
        check_containers, changed(CONTAINER, f"{RESOURCE}/partitionKey/paths", ["/pk", "/id"])
    ),
    "an older version of keys": Refusal(check_containers, dropped(CONTAINER, f"{RESOURCE}/partitionKey/version")),
    "a lost index": Refusal(
        check_containers, dropped(f"{CONTAINER} tenants", f"{RESOURCE}/indexingPolicy/includedPaths/3")
    ),
    "an index that no query uses": Refusal(
        check_containers, changed(f"{CONTAINER} inbox", f"{RESOURCE}/indexingPolicy/includedPaths/0/path", "/name/?")
    ),
    "a lost composite index": Refusal(
        check_containers, changed(f"{CONTAINER} ledgers", f"{RESOURCE}/indexingPolicy/compositeIndexes", [])
    ),
    "another order of a composite index": Refusal(
        check_containers,
        changed(f"{CONTAINER} ledgers", f"{RESOURCE}/indexingPolicy/compositeIndexes/0/1/order", "descending"),
    ),
    "everything indexed": Refusal(check_containers, changed(CONTAINER, f"{RESOURCE}/indexingPolicy/excludedPaths", [])),
    "items that expire by default": Refusal(check_containers, changed(CONTAINER, f"{RESOURCE}/defaultTtl", 3600)),
    "a queue without sessions": Refusal(check_queues, changed(QUEUE, "properties/requiresSession", value=False)),
    "a queue that keeps repeats": Refusal(
        check_queues, changed(QUEUE, "properties/requiresDuplicateDetection", value=False)
    ),
    "a shorter memory of repeats": Refusal(
        check_queues, changed(QUEUE, "properties/duplicateDetectionHistoryTimeWindow", "PT1M")
    ),
    "fewer deliveries": Refusal(check_queues, changed(QUEUE, "properties/maxDeliveryCount", 10)),
    "messages that expire into nothing": Refusal(
        check_queues, changed(QUEUE, "properties/deadLetteringOnMessageExpiration", value=False)
    ),
    "a partitioned queue": Refusal(check_queues, changed(QUEUE, "properties/enablePartitioning", value=True)),
    "a lost queue": Refusal(check_queues, dropped(f"{QUEUE} invoices")),
    "a queue that nothing reads": Refusal(check_queues, copied(f"{QUEUE} usage", "name", "more")),
    "a lock shorter than an invocation": Refusal(check_limits, changed(QUEUE, "properties/lockDuration", "PT4M")),
    "messages that live an hour": Refusal(check_limits, changed(QUEUE, "properties/defaultMessageTimeToLive", "PT1H")),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_what_does_not_fit_is_refused(refused: str):
    REFUSED[refused].is_shown()


def test_throughput_is_paid_by_request_unless_it_is_chosen():
    assert snapshot("default").one(ACCOUNT).properties["capabilities"] == [{"name": "EnableServerless"}]
    assert snapshot("large").one(ACCOUNT).properties["capabilities"] == []


def test_the_guide_converts_every_container():
    assert f"for container in {' '.join(CONTAINERS)}; do" in (ROOT / "docs" / "deployment.md").read_text()


def check_throughput(deployment: Snapshot) -> None:
    """Each container has its own: so a converted serverless account has it, and no database takes it back."""
    assert "options" not in deployment.one(f"{ACCOUNT}/sqlDatabases").properties
    own = {each.name: each.properties["options"] for each in deployment.of(CONTAINER)}
    assert own == {
        name: {"autoscaleSettings": {"maxThroughput": 20000 if name == "ledgers" else 1000}} for name in CONTAINERS
    }


@pytest.mark.parametrize("shape", ["large", "private-large"])
def test_provisioned_throughput_belongs_to_each_container(shape: str):
    check_throughput(snapshot(shape))


@pytest.mark.parametrize(
    "edit",
    [
        changed(f"{ACCOUNT}/sqlDatabases", "properties/options", {"autoscaleSettings": {"maxThroughput": 4000}}),
        changed(f"{CONTAINER} inbox", "properties/options", {}),
    ],
    ids=["throughput of the database", "a container without its own"],
)
def test_shared_throughput_is_refused(edit: Edit):
    Refusal(check_throughput, edit, shape="large").is_shown()


def test_the_emulated_queues_are_those_of_azure():
    """But for what the emulator does not allow: more deliveries, longer windows."""
    (namespace,) = json.loads((INFRA / "emulators" / "service-bus.json").read_text())["UserConfig"]["Namespaces"]
    emulated = {queue["Name"]: queue["Properties"] for queue in namespace["Queues"]}
    real = {queue.name: queue.properties for queue in snapshot("default").of(QUEUE)}
    assert set(emulated) == set(real)
    same = ("requiresSession", "requiresDuplicateDetection", "lockDuration", "deadLetteringOnMessageExpiration")
    for name, properties in real.items():
        for key in same:
            assert emulated[name][key[0].upper() + key[1:]] == properties[key]
