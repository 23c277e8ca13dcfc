// Mail: Azure Communication Services with a domain that Azure manages, reached by identity only.
param name string
param tags object

@description('Where the service keeps its data at rest.')
param dataLocation string

@description('The identity of the functions: sends mail.')
param appPrincipalId string

// Communication and Email Service Owner. There is no built-in role that may send and nothing else.
var owner = '09976791-48a7-449e-bb21-39d1a415f350'

resource email 'Microsoft.Communication/emailServices@2025-05-01' = {
  name: 'mail-${name}'
  location: 'global'
  tags: tags
  properties: { dataLocation: dataLocation }
}

resource domain 'Microsoft.Communication/emailServices/domains@2025-05-01' = {
  parent: email
  name: 'AzureManagedDomain'
  location: 'global'
  tags: tags
  properties: {
    domainManagement: 'AzureManaged'
    userEngagementTracking: 'Disabled' // it would rewrite the links in mails
  }
}

resource service 'Microsoft.Communication/communicationServices@2025-05-01' = {
  name: 'acs-${name}'
  location: 'global'
  tags: tags
  properties: {
    dataLocation: dataLocation
    linkedDomains: [domain.id]
    disableLocalAuth: true
  }
}

resource sender 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: service
  name: guid(service.id, appPrincipalId, owner)
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', owner)
  }
}

output endpoint string = 'https://${service.properties.hostName}'
output sender string = 'Xyra <DoNotReply@${domain.properties.fromSenderDomain}>'
