// Everything that Xyra needs on Azure, in one resource group. `azd up` runs it; docs/deployment.md explains the parameters.
targetScope = 'subscription'

@description('Names the deployment; part of the names of its resources.')
@minLength(1)
@maxLength(20)
param environmentName string

@description('The region of all resources. It must offer the Flex Consumption plan.')
param location string

@description('Object id of whoever provisions; azd fills it in.')
param operatorPrincipalId string = ''

@allowed(['User', 'Group', 'ServicePrincipal'])
param operatorPrincipalType string = 'User'

@description('Let whoever provisions write secrets and data, as the first-run step and rotation need. Off: a deployment gives these rights to nobody, and takes back none.')
param grantOperator bool = true

@description('Where alerts are sent; empty for nowhere.')
param alertEmail string = ''

// Size

@description('Autoscale maximum of the usage container, in RU/s, in steps of 1000. 0: a serverless account, paid by request.')
@minValue(0)
param ledgersThroughput int = 0

@description('Autoscale maximum of each other container, in RU/s, in steps of 1000; of no effect in a serverless account.')
@minValue(1000)
param containerThroughput int = 1000

@description('Memory of one instance of the functions, in MB.')
@allowed([512, 2048, 4096])
param instanceMemory int = 2048

@minValue(40)
@maxValue(1000)
param maximumInstances int = 100

@description('Requests that one instance handles at once before another one starts.')
@minValue(1)
@maxValue(1000)
param requestsPerInstance int = 32

@description('Instances that always wait for requests: no cold start, paid by the hour.')
@minValue(0)
param alwaysReadyHttp int = 0

@description('Instances that always wait for usage: from none, metering can take minutes to start. For production at least 1.')
@minValue(0)
param alwaysReadyRating int = 0

@description('Spread what can be spread over the zones of the region, which must offer them for Flex Consumption. The platform then keeps and bills two instances for each scale group, whatever is configured: see docs/deployment.md.')
param zoneRedundant bool = false

@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Record every request to data too, not only changes of settings and reads of secrets. Paid by volume; most of it is the functions\' own.')
param dataPlaneLogs bool = false

@description('Logs of one day above which an alert fires, in GB. Nothing is cut off.')
@minValue(1)
param dailyLogGigabytes int = 5

@description('Keep the store from being deleted, also by `azd down`, until somebody removes the lock. Making it needs the role Owner.')
param deleteLock bool = false

@description('Costs of a month of which somebody is told: when 80 % of them have come, and when they are expected to be passed. 0: nobody. In the currency of the bill.')
@minValue(0)
param monthlyBudget int = 0

@description('The first day of the month in which the budget begins, such as 2026-12-01. It stays the same later.')
param budgetStart string = ''

@description('Origins whose pages may call the API, such as https://app.example.com, separated by commas. Empty: none.')
param corsOrigins string = ''

@description('Where people reach the functions, such as https://billing.example.com: links in mails begin with it. Empty: the address that the platform gives.')
param publicUrl string = ''

// Mail

@description('By what mail is sent: azure makes Communication Services with a domain of its own; smtp uses a mail server that is there.')
@allowed(['azure', 'smtp'])
param mail string = 'azure'

@description('Who mails come from, such as Xyra <no-reply@example.com>. Empty with azure: an address at the domain that Azure manages.')
param mailSender string = ''

@description('Where Communication Services keep their data at rest.')
param mailDataLocation string = 'Europe'

@description('The mail server, with smtp.')
param smtpHost string = ''

@minValue(1)
@maxValue(65535)
param smtpPort int = 587

@allowed(['starttls', 'tls'])
param smtpSecurity string = 'starttls'

@description('With a user name, the secret smtp-password in the vault is its password.')
param smtpUsername string = ''

@description('Take back the vault of an earlier deployment of this name, which was deleted. Fails where there is none.')
param recoverKeyVault bool = false

// Payments

@description('Stripe\'s publishable key, with which pages load Stripe.js; with one for each mode, separated by a comma. The secret keys stand in the vault: stripe-key, stripe-test-key, stripe-webhook-secrets, stripe-test-webhook-secrets.')
param stripePublishableKey string = ''

// Network

@description('Reach the store, the broker, the vault and the storage through private endpoints only. Makes the broker premium.')
param privateNetworking bool = false

@description('Addresses that the functions send from inside the private network: at least a /27.')
param functionsPrefix string = '10.42.0.0/26'

@description('Addresses of the private endpoints: at least a /28.')
param endpointsPrefix string = '10.42.0.64/26'

// Rules of billing: shared/settings.py says what they do

@description('The issuer named in access tokens.')
param tokenIssuer string = 'xyra'

@minValue(1)
@maxValue(1440)
param accessTokenMinutes int = 30

@minValue(1)
@maxValue(365)
param refreshTokenDays int = 30

@description('Whether users may change things before they have shown that their e-mail address is theirs.')
param unverifiedMayWrite bool = false

@description('Whether the operator\'s staff need a second factor. Enrol one at /account/security.')
param staffMfaRequired bool = false

@description('Whether the operator\'s staff show anew who they are before they change money or access.')
param staffStepUpRequired bool = false

@minValue(0)
@maxValue(3660)
param deletedReadableDays int = 30

@description('Whether requests are counted for rate limits.')
@allowed(['on', 'off'])
param limits string = 'on'

@description('How many proxies in front of the app add an address to X-Forwarded-For; the platform itself is one.')
@minValue(1)
@maxValue(10)
param trustedHops int = 1

@description('The request header in which a proxy of yours names the country of a caller, such as CF-IPCountry. Without it sessions show none.')
param locationHeader string = ''

@description('The IPv4 address of the name server that is asked whether a claimed domain is the organization\'s, such as 1.1.1.1. Without it the platform\'s is.')
param dnsServer string = ''

@description('Credits that an organization gets whose first user signs up. 0 for none.')
@minValue(0)
param signUpBonus int = 100

@minValue(1)
@maxValue(365)
param lateWindowDays int = 90

@minValue(1)
param eventRetentionDays int = 400

@description('Distinct values that a unique meter counts in a period: in each shard of the organization, for each line.')
@minValue(1)
param maximumDistinctValues int = 1000000

@description('Agents that API keys make on sight in an organization and UTC day.')
@minValue(0)
@maxValue(100000)
param maximumMadeAgents int = 1000

@description('Calls in traces of an organization that wait for the span that names their agent.')
@minValue(0)
param maximumWaitingCalls int = 50000

@description('Bytes of a request with traces, as it is sent.')
@minValue(1)
@maxValue(16777216)
param maximumTraceBytes int = 8388608

@description('Bytes of a request with traces that was sent in gzip, unpacked.')
@minValue(1)
@maxValue(67108864)
param maximumUnpackedTraceBytes int = 16777216

@description('Usage partitions of a new organization.')
@allowed([1, 2, 4, 8, 16, 32, 64])
param shardCount int = 1

@minValue(0)
@maxValue(720)
param invoiceGraceHours int = 24

@minValue(0)
@maxValue(365)
param invoiceDueDays int = 15

@minValue(0)
@maxValue(3660)
param backdatingDays int = 731

@description('Where a newer list of what LLM providers ask is looked for every hour (https://...). Empty: the installed list holds.')
param priceListUrl string = ''

// What must hold between parameters. Each sentence says what is right.
var rules = [
  {
    kept: environmentName == toLower(environmentName)
    says: 'The environment must be named in small letters: Test and test would share a resource group, and removing one would remove both.'
  }
  {
    kept: ledgersThroughput == 0 || ledgersThroughput >= 1000 && ledgersThroughput % 1000 == 0
    says: 'ledgersThroughput must be 0, for a serverless account, or at least 1000, in steps of 1000.'
  }
  {
    kept: containerThroughput % 1000 == 0
    says: 'containerThroughput must be at least 1000, in steps of 1000.'
  }
  {
    kept: !zoneRedundant || alwaysReadyHttp != 1 && alwaysReadyRating != 1
    says: 'With zoneRedundant, alwaysReadyHttp and alwaysReadyRating must each be 0, or 2 or more.'
  }
  {
    kept: eventRetentionDays >= lateWindowDays
    says: 'eventRetentionDays must not be shorter than lateWindowDays: the functions would refuse every call.'
  }
  {
    kept: mail == 'azure' || !empty(smtpHost) && !empty(mailSender)
    says: 'mail = smtp needs smtpHost and mailSender.'
  }
  {
    kept: empty(publicUrl) || startsWith(publicUrl, 'https://') && !endsWith(publicUrl, '/')
    says: 'publicUrl must begin with https://, without a slash at its end.'
  }
  {
    kept: monthlyBudget == 0 || !empty(alertEmail) && endsWith(budgetStart, '-01')
    says: 'monthlyBudget needs alertEmail, and budgetStart: the first day of the current month, such as 2026-12-01.'
  }
]
var broken = map(filter(rules, rule => !rule.kept), rule => rule.says)
var checkedName = empty(broken) ? environmentName : fail(join(broken, ' '))

var token = toLower(uniqueString(subscription().id, checkedName, location))
var name = 'xyra-${token}'
var operator = grantOperator ? operatorPrincipalId : ''
var packageContainer = 'deployments'
var tags = { 'azd-env-name': environmentName }
var dnsZoneNames = [
  'privatelink.documents.azure.com'
  'privatelink.servicebus.windows.net'
  'privatelink.vaultcore.azure.net'
  'privatelink.blob.${environment().suffixes.storage}'
  'privatelink.table.${environment().suffixes.storage}'
]

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-xyra-${checkedName}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  scope: group
  name: 'identity'
  params: {
    name: 'id-${name}'
    location: location
    tags: tags
  }
}

// The platform stores and fetches the package as this identity, so that the functions' own needs no role on the package.
module packageIdentity 'modules/identity.bicep' = {
  scope: group
  name: 'package-identity'
  params: {
    name: 'id-package-${name}'
    location: location
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  name: 'monitoring'
  params: {
    name: name
    location: location
    tags: tags
    writerPrincipalId: identity.outputs.principalId
    retentionDays: logRetentionDays
  }
}

// The locks of timers and the keys of the host.
module storage 'modules/storage.bicep' = {
  scope: group
  name: 'storage'
  params: {
    name: 'xyra${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    roles: [
      'b7e6dc6d-f1e8-4753-8033-0f276bb0955b' // Storage Blob Data Owner
      '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3' // Storage Table Data Contributor
    ]
    sku: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS'
    workspaceId: monitoring.outputs.workspaceId
    dataPlaneLogs: dataPlaneLogs
    publicAccess: !privateNetworking
  }
}

// The deployed package: on it the functions' own identity has no role.
module packageStorage 'modules/storage.bicep' = {
  scope: group
  name: 'package-storage'
  params: {
    name: 'xyrapkg${token}'
    location: location
    tags: tags
    principalId: packageIdentity.outputs.principalId
    roles: ['ba92f5b4-2d11-453d-a403-e96b0029c9fe'] // Storage Blob Data Contributor
    containers: [packageContainer]
    sku: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS'
    workspaceId: monitoring.outputs.workspaceId
    dataPlaneLogs: dataPlaneLogs
    publicAccess: !privateNetworking
  }
}

module cosmosDb 'modules/cosmos-db.bicep' = {
  scope: group
  name: 'cosmos-db'
  params: {
    name: 'cosmos-${name}'
    location: location
    tags: tags
    database: 'xyra'
    appPrincipalId: identity.outputs.principalId
    operatorPrincipalId: operator
    ledgersThroughput: ledgersThroughput
    containerThroughput: containerThroughput
    zoneRedundant: zoneRedundant
    deleteLock: deleteLock
    workspaceId: monitoring.outputs.workspaceId
    dataPlaneLogs: dataPlaneLogs
    publicAccess: !privateNetworking
  }
}

module serviceBus 'modules/service-bus.bicep' = {
  scope: group
  name: 'service-bus'
  params: {
    name: 'sb-${name}'
    location: location
    tags: tags
    appPrincipalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
    dataPlaneLogs: dataPlaneLogs
    publicAccess: !privateNetworking
  }
}

module keyVault 'modules/key-vault.bicep' = {
  scope: group
  name: 'key-vault'
  params: {
    name: 'kv-${name}'
    location: location
    tags: tags
    appPrincipalId: identity.outputs.principalId
    operatorPrincipalId: operator
    operatorPrincipalType: operatorPrincipalType
    workspaceId: monitoring.outputs.workspaceId
    recover: recoverKeyVault
    publicAccess: !privateNetworking
  }
}

module mailService 'modules/mail.bicep' = if (mail == 'azure') {
  scope: group
  name: 'mail'
  params: {
    name: name
    tags: tags
    dataLocation: mailDataLocation
    appPrincipalId: identity.outputs.principalId
  }
}

module network 'modules/network.bicep' = if (privateNetworking) {
  scope: group
  name: 'network'
  params: {
    name: name
    location: location
    tags: tags
    functionsPrefix: functionsPrefix
    endpointsPrefix: endpointsPrefix
    dnsZoneNames: dnsZoneNames
    zoneRedundant: zoneRedundant
  }
}

var privateServices = [
  { name: 'cosmos-db', group: 'Sql', zone: dnsZoneNames[0] }
  { name: 'service-bus', group: 'namespace', zone: dnsZoneNames[1] }
  { name: 'key-vault', group: 'vault', zone: dnsZoneNames[2] }
  { name: 'blob', group: 'blob', zone: dnsZoneNames[3] }
  { name: 'table', group: 'table', zone: dnsZoneNames[4] }
  { name: 'package', group: 'blob', zone: dnsZoneNames[3] }
]

// One after the other: storage refuses a second one while it makes the first.
@batchSize(1)
module privateEndpoints 'modules/private-endpoint.bicep' = [
  for (service, index) in privateServices: if (privateNetworking) {
    scope: group
    name: 'private-endpoint-${service.name}'
    params: {
      name: 'pe-${service.name}-${name}'
      location: location
      tags: tags
      subnetId: network!.outputs.endpointsSubnetId
      serviceId: [
        cosmosDb.outputs.id
        serviceBus.outputs.id
        keyVault.outputs.id
        storage.outputs.id
        storage.outputs.id
        packageStorage.outputs.id
      ][index]
      group: service.group
      zone: service.zone
    }
  }
]

module functionApp 'modules/function-app.bicep' = {
  scope: group
  name: 'function-app'
  dependsOn: [privateEndpoints]
  params: {
    name: 'func-${name}'
    planName: 'plan-${name}'
    location: location
    tags: tags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    packageIdentityId: packageIdentity.outputs.id
    packageContainer: '${packageStorage.outputs.blobEndpoint}${packageContainer}'
    blobEndpoint: storage.outputs.blobEndpoint
    tableEndpoint: storage.outputs.tableEndpoint
    serviceBusHostName: serviceBus.outputs.hostName
    insightsConnectionString: monitoring.outputs.connectionString
    instanceMemory: instanceMemory
    maximumInstances: maximumInstances
    requestsPerInstance: requestsPerInstance
    alwaysReadyHttp: alwaysReadyHttp
    alwaysReadyRating: alwaysReadyRating
    subnetId: privateNetworking ? network!.outputs.functionsSubnetId : ''
    zoneRedundant: zoneRedundant
    settings: {
      XYRA_ENVIRONMENT: 'production'
      XYRA_STORE: 'cosmos'
      XYRA_COSMOS_ENDPOINT: cosmosDb.outputs.endpoint
      XYRA_COSMOS_DATABASE: cosmosDb.outputs.database
      XYRA_QUEUE: 'service_bus'
      XYRA_SERVICE_BUS_NAMESPACE: serviceBus.outputs.hostName
      XYRA_SECRETS: 'key_vault'
      XYRA_KEY_VAULT_URL: keyVault.outputs.url
      XYRA_PUBLIC_URL: empty(publicUrl) ? 'https://func-${name}.azurewebsites.net' : publicUrl
      XYRA_MAIL: mail
      XYRA_MAIL_SENDER: empty(mailSender) && mail == 'azure' ? mailService!.outputs.sender : mailSender
      XYRA_EMAIL_ENDPOINT: mail == 'azure' ? mailService!.outputs.endpoint : ''
      XYRA_SMTP_HOST: smtpHost
      XYRA_SMTP_PORT: string(smtpPort)
      XYRA_SMTP_SECURITY: smtpSecurity
      XYRA_SMTP_USERNAME: smtpUsername
      XYRA_STRIPE_PUBLISHABLE_KEY: stripePublishableKey
      XYRA_CORS_ORIGINS: corsOrigins
      XYRA_TOKEN_ISSUER: tokenIssuer
      XYRA_ACCESS_TOKEN_MINUTES: string(accessTokenMinutes)
      XYRA_REFRESH_TOKEN_DAYS: string(refreshTokenDays)
      XYRA_UNVERIFIED_MAY_WRITE: string(unverifiedMayWrite)
      XYRA_STAFF_MFA_REQUIRED: string(staffMfaRequired)
      XYRA_STAFF_STEP_UP_REQUIRED: string(staffStepUpRequired)
      XYRA_DELETED_READABLE_DAYS: string(deletedReadableDays)
      XYRA_LIMITS: limits
      XYRA_TRUSTED_HOPS: string(trustedHops)
      XYRA_LOCATION_HEADER: locationHeader
      XYRA_DNS_SERVER: dnsServer
      XYRA_SIGN_UP_BONUS: string(signUpBonus)
      XYRA_LATE_WINDOW_DAYS: string(lateWindowDays)
      XYRA_EVENT_RETENTION_DAYS: string(eventRetentionDays)
      XYRA_MAXIMUM_DISTINCT_VALUES: string(maximumDistinctValues)
      XYRA_MAXIMUM_MADE_AGENTS: string(maximumMadeAgents)
      XYRA_MAXIMUM_WAITING_CALLS: string(maximumWaitingCalls)
      XYRA_MAXIMUM_TRACE_BYTES: string(maximumTraceBytes)
      XYRA_MAXIMUM_UNPACKED_TRACE_BYTES: string(maximumUnpackedTraceBytes)
      XYRA_SHARD_COUNT: string(shardCount)
      XYRA_INVOICE_GRACE_HOURS: string(invoiceGraceHours)
      XYRA_INVOICE_DUE_DAYS: string(invoiceDueDays)
      XYRA_BACKDATING_DAYS: string(backdatingDays)
      XYRA_PRICE_LIST_URL: priceListUrl
    }
  }
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  name: 'alerts'
  params: {
    name: name
    location: location
    tags: tags
    email: alertEmail
    serviceBusId: serviceBus.outputs.id
    cosmosDbId: cosmosDb.outputs.id
    insightsId: monitoring.outputs.insightsId
    workspaceId: monitoring.outputs.workspaceId
    dailyLogGigabytes: dailyLogGigabytes
    monthlyBudget: monthlyBudget
    budgetStart: budgetStart
  }
}

output AZURE_LOCATION string = location
output AZURE_TENANT_ID string = tenant().tenantId
output AZURE_RESOURCE_GROUP string = group.name
output SERVICE_API_NAME string = functionApp.outputs.name
output SERVICE_API_URI string = functionApp.outputs.uri
output OPERATOR_PRINCIPAL_ID string = operator // who holds rights on secrets and data until they are removed
output OUTGOING_ADDRESS string = privateNetworking ? network!.outputs.outgoingAddress : ''

// What the first-run step needs to work on the same store and vault as the functions.
output XYRA_ENVIRONMENT string = 'production'
output XYRA_STORE string = 'cosmos'
output XYRA_COSMOS_ENDPOINT string = cosmosDb.outputs.endpoint
output XYRA_COSMOS_DATABASE string = cosmosDb.outputs.database
output XYRA_QUEUE string = 'service_bus'
output XYRA_SERVICE_BUS_NAMESPACE string = serviceBus.outputs.hostName
output XYRA_SECRETS string = 'key_vault'
output XYRA_KEY_VAULT_URL string = keyVault.outputs.url
output XYRA_PUBLIC_URL string = empty(publicUrl) ? 'https://func-${name}.azurewebsites.net' : publicUrl
output XYRA_MAIL string = mail
output XYRA_MAIL_SENDER string = empty(mailSender) && mail == 'azure' ? mailService!.outputs.sender : mailSender
output XYRA_EMAIL_ENDPOINT string = mail == 'azure' ? mailService!.outputs.endpoint : ''
output XYRA_SMTP_HOST string = smtpHost
output XYRA_ACCESS_TOKEN_MINUTES string = string(accessTokenMinutes) // how long a retired key is accepted depends on it
