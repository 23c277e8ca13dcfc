// The store. Containers, keys and indexes are those of shared/containers.py; tests/infra/test_store_and_broker.py compares.
param name string
param location string
param tags object
param database string

@description('The identity of the functions.')
param appPrincipalId string

@description('Who may read and write data besides the functions; empty for nobody.')
param operatorPrincipalId string

@description('Autoscale maximum of the usage container, in RU/s; 0 makes the account serverless.')
param ledgersThroughput int

@description('Autoscale maximum of each other container, in RU/s; of no effect in a serverless account.')
param containerThroughput int

param zoneRedundant bool
param deleteLock bool
@description('Where changes are recorded.')
param workspaceId string

@description('Record every request to data too.')
param dataPlaneLogs bool

param publicAccess bool

var serverless = ledgersThroughput == 0
var dataContributor = '00000000-0000-0000-0000-000000000002'
var principals = empty(operatorPrincipalId) ? [appPrincipalId] : [appPrincipalId, operatorPrincipalId]

var partitionKeyPath = '/pk'
var alwaysIndexed = ['pk', 'kind', 'due_at']
var containers = [
  {
    name: 'tenants'
    indexed: [
      'status'
      'listed'
      'project_id'
      'department_id'
      'thread_id'
      'agent_id'
      // Of the audit trail
      'place'
      'actor_id'
      'action'
      'target_id'
    ]
    ordered: ['place']
  }
  { name: 'directory', indexed: ['status'], ordered: [] }
  { name: 'ledgers', indexed: ['period', 'time', 'agent_id', 'run', 'status'], ordered: ['time'] }
  { name: 'invoices', indexed: ['start', 'status', 'invoice_id'], ordered: ['start'] }
  { name: 'inbox', indexed: [], ordered: [] }
  { name: 'catalog', indexed: [], ordered: [] }
]

resource account 'Microsoft.DocumentDB/databaseAccounts@2025-04-15' = {
  name: name
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    locations: [{ locationName: location, failoverPriority: 0, isZoneRedundant: zoneRedundant }]
    capabilities: serverless ? [{ name: 'EnableServerless' }] : []
    consistencyPolicy: { defaultConsistencyLevel: 'Session' }
    backupPolicy: {
      type: 'Continuous'
      continuousModeProperties: { tier: 'Continuous7Days' }
    }
    disableLocalAuth: true
    disableKeyBasedMetadataWriteAccess: true
    minimalTlsVersion: 'Tls12'
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
  }
}

resource store 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2025-04-15' = {
  parent: account
  name: database
  properties: {
    resource: { id: database }
  }
}

// One after the other, and the roles after them: Cosmos DB refuses writes to an account while another one holds its lock.
@batchSize(1)
resource tables 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2025-04-15' = [
  for container in containers: {
    parent: store
    name: container.name
    properties: {
      resource: {
        id: container.name
        partitionKey: { kind: 'Hash', version: 2, paths: [partitionKeyPath] }
        defaultTtl: -1 // an item expires by its own `ttl`, never by default
        indexingPolicy: {
          indexingMode: 'consistent'
          automatic: true
          excludedPaths: [{ path: '/*' }]
          includedPaths: [for field in concat(alwaysIndexed, container.indexed): { path: '/${field}/?' }]
          compositeIndexes: [
            for field in container.ordered: [
              { path: '/${field}', order: 'ascending' }
              { path: '/id', order: 'ascending' }
            ]
          ]
        }
      }
      options: serverless
        ? {}
        : {
            autoscaleSettings: { maxThroughput: container.name == 'ledgers' ? ledgersThroughput : containerThroughput }
          }
    }
  }
]

@batchSize(1)
resource access 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2025-04-15' = [
  for principal in principals: {
    parent: account
    dependsOn: [tables]
    name: guid(account.id, principal, dataContributor)
    properties: {
      principalId: principal
      roleDefinitionId: '${account.id}/sqlRoleDefinitions/${dataContributor}'
      scope: account.id
    }
  }
]

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: account
  name: 'audit'
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      { category: 'ControlPlaneRequests', enabled: true }
      { category: 'DataPlaneRequests', enabled: dataPlaneLogs }
    ]
  }
}

resource lock 'Microsoft.Authorization/locks@2016-09-01' = if (deleteLock) {
  scope: account
  name: 'data'
  properties: {
    level: 'CanNotDelete'
    notes: 'All data of Xyra: remove this lock only to give the data up.'
  }
}

output id string = account.id
output endpoint string = account.properties.documentEndpoint
output database string = store.name
