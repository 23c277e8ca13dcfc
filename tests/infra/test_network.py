"""In a private network every data service is closed, and the functions still reach it."""

import pytest

from tests.infra.refusals import Refusal
from tools.infra.snapshots import SHAPES, Resource, Snapshot, changed, dropped, snapshot

NETWORK = "Microsoft.Network"
ENDPOINT = f"{NETWORK}/privateEndpoints"
ZONE = f"{NETWORK}/privateDnsZones"
APP = "Microsoft.Web/sites"

CLOSED = {
    "Microsoft.DocumentDB/databaseAccounts": {"Sql"},
    "Microsoft.ServiceBus/namespaces": {"namespace"},
    "Microsoft.KeyVault/vaults": {"vault"},
    "Microsoft.Storage/storageAccounts": {"blob", "table"},
}
"""The data services, and the parts of them that are used."""


def parts_of(service: Resource, parts: set[str]) -> set[str]:
    """Of the account of the package only blobs are used."""
    return {"blob"} if service.name.startswith("xyrapkg") else parts


def check_closed(deployment: Snapshot) -> None:
    for service in CLOSED:
        for each in deployment.of(service):
            assert each.properties["publicNetworkAccess"] == "Disabled", each.name
    assert deployment.one("Microsoft.ServiceBus/namespaces").body["sku"]["name"] == "Premium", (
        "others have no endpoints"
    )
    subnet = deployment.one(APP).properties["virtualNetworkSubnetId"]
    assert subnet.startswith(deployment.one(f"{NETWORK}/virtualNetworks").id)


def check_reached(deployment: Snapshot) -> None:
    """Check each part's endpoint, the zone that names it, and the zone's link.

    The link goes to the network.
    """
    connections = [
        each.properties["privateLinkServiceConnections"][0]["properties"] for each in deployment.of(ENDPOINT)
    ]
    reached = sorted((each["privateLinkServiceId"], each["groupIds"]) for each in connections)
    assert reached == sorted(
        (each.id, [part])
        for type_, parts in CLOSED.items()
        for each in deployment.of(type_)
        for part in parts_of(each, parts)
    )
    zones = {zone.id for zone in deployment.of(ZONE)}
    assert len(zones) == len({part for parts in CLOSED.values() for part in parts})
    named = deployment.of(f"{ENDPOINT}/privateDnsZoneGroups")
    assert {each.properties["privateDnsZoneConfigs"][0]["properties"]["privateDnsZoneId"] for each in named} == zones
    links = deployment.of(f"{ZONE}/virtualNetworkLinks")
    assert len(links) == len(zones)
    network = deployment.one(f"{NETWORK}/virtualNetworks").id
    assert {each.properties["virtualNetwork"]["id"] for each in links} == {network}


@pytest.mark.parametrize("shape", ["private", "private-large"])
@pytest.mark.parametrize("check", [check_closed, check_reached])
def test_every_data_service_is_closed_and_reached(check, shape):
    check(snapshot(shape))


PUBLIC = "properties/publicNetworkAccess"
REFUSED = {
    **{
        f"an open {service}": Refusal(check_closed, changed(service, PUBLIC, "Enabled"), shape="private")
        for service in CLOSED
    },
    "a broker without endpoints": Refusal(
        check_closed, changed("Microsoft.ServiceBus/namespaces", "sku/name", "Standard"), shape="private"
    ),
    "functions outside the network": Refusal(
        check_closed, changed(APP, "properties/virtualNetworkSubnetId", "elsewhere"), shape="private"
    ),
    "no endpoint": Refusal(check_reached, dropped(ENDPOINT), shape="private"),
    "a lost zone": Refusal(check_reached, dropped(f"{ZONE} privatelink.servicebus.windows.net"), shape="private"),
    "an endpoint without a name": Refusal(check_reached, dropped(f"{ENDPOINT}/privateDnsZoneGroups"), shape="private"),
    "a zone that the network does not know": Refusal(
        check_reached, dropped(f"{ZONE}/virtualNetworkLinks"), shape="private"
    ),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_what_is_open_or_out_of_reach_is_refused(refused: str):
    REFUSED[refused].is_shown()


def test_without_private_networking_there_is_no_network():
    for shape in ("default", "large"):
        assert not [each for each in snapshot(shape).resources if each.type.startswith(f"{NETWORK}/")]


@pytest.mark.parametrize(("shape", "sku"), [("private", "Standard"), ("private-large", "StandardV2")])
def test_the_way_out_spans_zones_where_that_is_chosen(shape: str, sku: str):
    """Under another name: neither can be changed in place."""
    gateway, address = (snapshot(shape).one(f"{NETWORK}/{kind}") for kind in ("natGateways", "publicIPAddresses"))
    assert (gateway.body["sku"]["name"], address.body["sku"]["name"]) == (sku, sku)
    assert gateway.properties["publicIpAddresses"] == [{"id": address.id}]
    assert {"-zones-" in each.name for each in (gateway, address)} == {sku == "StandardV2"}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_api_is_open(shape: str):
    assert snapshot(shape).one(APP).properties["publicNetworkAccess"] == "Enabled"
