// The broker. Sessions and duplicate detection are fixed when a queue is made: changing them means a new queue.
param name string
param location string
param tags object

@description('The identity of the functions.')
param appPrincipalId string

@description('Where changes are recorded.')
param workspaceId string

@description('Record every request to data too.')
param dataPlaneLogs bool

param publicAccess bool

// The scale controller reads the lengths of the queues as this identity, and only an owner may.
var serviceBusDataOwner = '090c5cfd-751d-490a-894a-3ce6f1109419'

// Private endpoints exist in the premium tier only.
var tier = publicAccess ? 'Standard' : 'Premium'

var queues = ['usage', 'invoices', 'payments']

resource broker 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: tier, tier: tier, capacity: publicAccess ? null : 1 }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
  }
}

resource sessionQueues 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = [
  for queue in queues: {
    parent: broker
    name: queue
    properties: {
      requiresSession: true
      requiresDuplicateDetection: true
      duplicateDetectionHistoryTimeWindow: 'PT10M'
      lockDuration: 'PT5M' // the longest there is; the platform does not renew the locks of a batch
      maxDeliveryCount: 100
      defaultMessageTimeToLive: 'P14D' // if nothing meters for so long, the dead-letter queue keeps what was accepted
      deadLetteringOnMessageExpiration: true
      enablePartitioning: false // one batch carries messages of several sessions
      maxSizeInMegabytes: 5120
    }
  }
]

resource owner 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: broker
  name: guid(broker.id, appPrincipalId, serviceBusDataOwner)
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', serviceBusDataOwner)
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: broker
  name: 'audit'
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      { category: 'OperationalLogs', enabled: true }
      { category: 'RuntimeAuditLogs', enabled: dataPlaneLogs && tier == 'Premium' } // other tiers have none
    ]
  }
}

output id string = broker.id
output hostName string = '${broker.name}.servicebus.windows.net'
