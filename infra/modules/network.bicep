// The private network: one subnet that the functions send from, one with the private endpoints of what they use, the DNS zones
// that lead there, and one outgoing address for everything else (payments, mail).
param name string
param location string
param tags object

param functionsPrefix string
param endpointsPrefix string

@description('Names of the private DNS zones.')
param dnsZoneNames array

@description('A gateway and an address that span the zones of the region, instead of those that lie in one.')
param zoneRedundant bool

// Neither can be changed in place, so each kind has names of its own.
var outgoing = zoneRedundant ? { sku: 'StandardV2', name: 'zones-${name}' } : { sku: 'Standard', name: name }

// The defaults of a security group: nothing comes in from outside the network.
resource rules 'Microsoft.Network/networkSecurityGroups@2024-07-01' = {
  name: 'nsg-${name}'
  location: location
  tags: tags
}

resource address 'Microsoft.Network/publicIPAddresses@2024-07-01' = {
  name: 'pip-${outgoing.name}'
  location: location
  tags: tags
  sku: { name: outgoing.sku }
  properties: { publicIPAllocationMethod: 'Static' }
}

resource gateway 'Microsoft.Network/natGateways@2024-07-01' = {
  name: 'ng-${outgoing.name}'
  location: location
  tags: tags
  sku: { name: outgoing.sku }
  properties: {
    idleTimeoutInMinutes: 4
    publicIpAddresses: [{ id: address.id }]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-07-01' = {
  name: 'vnet-${name}'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [functionsPrefix, endpointsPrefix] }
    subnets: [
      {
        name: 'functions'
        properties: {
          addressPrefix: functionsPrefix
          defaultOutboundAccess: false
          natGateway: { id: gateway.id }
          networkSecurityGroup: { id: rules.id }
          delegations: [
            { name: 'flex-consumption', properties: { serviceName: 'Microsoft.App/environments' } }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: endpointsPrefix
          defaultOutboundAccess: false
          networkSecurityGroup: { id: rules.id }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}

resource dnsZones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for zone in dnsZoneNames: {
    name: zone
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (zone, index) in dnsZoneNames: {
    parent: dnsZones[index]
    name: 'vnet-${name}'
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: { id: network.id }
    }
  }
]

output functionsSubnetId string = '${network.id}/subnets/functions'
output endpointsSubnetId string = '${network.id}/subnets/endpoints'
output outgoingAddress string = address.properties.ipAddress
