// The functions, on the Flex Consumption plan, running as a managed identity.
param name string
param planName string
param location string
param tags object

@description('Resource id of the identity that the app runs as.')
param identityId string
param identityClientId string

@description('Resource id of the identity by which the platform stores and fetches the package.')
param packageIdentityId string

@description('Address of the container that holds the package.')
param packageContainer string

param blobEndpoint string
param tableEndpoint string
param serviceBusHostName string
param insightsConnectionString string

@description('What shared/settings.py reads: XYRA_* settings.')
param settings object

@allowed([512, 2048, 4096])
param instanceMemory int
@minValue(40)
@maxValue(1000)
param maximumInstances int
@minValue(1)
@maxValue(1000)
param requestsPerInstance int
@minValue(0)
param alwaysReadyHttp int
@minValue(0)
param alwaysReadyRating int

@description('The subnet that outgoing traffic takes; empty without private networking.')
param subnetId string
param zoneRedundant bool

var readyForRequests = alwaysReadyHttp > 0 ? [{ name: 'http', instanceCount: alwaysReadyHttp }] : []
var readyForUsage = alwaysReadyRating > 0 ? [{ name: 'function:rate_usage', instanceCount: alwaysReadyRating }] : []

// What the platform and the SDKs read; no key and no secret in any of them.
var platformSettings = {
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsStorage__blobServiceUri: blobEndpoint
  AzureWebJobsStorage__tableServiceUri: tableEndpoint
  ServiceBus__credential: 'managedidentity'
  ServiceBus__clientId: identityClientId
  ServiceBus__fullyQualifiedNamespace: serviceBusHostName
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  AzureWebJobsDisableHomepage: 'true' // `/` is answered by the app
  AZURE_CLIENT_ID: identityClientId // azure-identity asks for a token as this identity
}

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {}, '${packageIdentityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    publicNetworkAccess: 'Enabled' // the API is public; what it stores need not be
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainer
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: packageIdentityId }
        }
      }
      runtime: { name: 'python', version: '3.13' }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemory
        maximumInstanceCount: maximumInstances
        alwaysReady: concat(readyForRequests, readyForUsage)
        triggers: { http: { perInstanceConcurrency: requestsPerInstance } }
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
      remoteDebuggingEnabled: false
      appSettings: [
        for setting in items(union(platformSettings, settings)): { name: setting.key, value: setting.value }
      ]
    }
  }
}

// Deployments come with a token of Entra ID; user name and password are off.
resource ftpCredentials 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'ftp'
  properties: { allow: false }
}

resource scmCredentials 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'scm'
  properties: { allow: false }
}

output id string = app.id
output name string = app.name
output uri string = 'https://${app.properties.defaultHostName}'
