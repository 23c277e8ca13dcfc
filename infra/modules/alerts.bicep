// What somebody should look at: accepted messages that were given up or only grow, functions that fail or stand still, a store
// that is too small, unusual amounts of logs, and anybody who gets access to data.
param name string
param location string
param tags object

@description('Who is told; empty for nobody: the alerts are then seen in the portal only.')
param email string

param serviceBusId string
param cosmosDbId string
param insightsId string
param workspaceId string

@description('Logs of one day above which somebody is told, in GB.')
param dailyLogGigabytes int

@description('Costs of a month of which somebody is told, in the currency of the bill; 0 for nobody.')
param monthlyBudget int
param budgetStart string

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: 'ag-${name}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'xyra'
    emailReceivers: [{ name: 'operator', emailAddress: email, useCommonAlertSchema: true }]
  }
}

var metricRules = [
  {
    name: 'dead-letters'
    description: 'Messages stay in a dead-letter queue. Functions empty it within minutes, unless they fail, too.'
    severity: 1
    scope: serviceBusId
    namespace: 'Microsoft.ServiceBus/namespaces'
    metric: 'DeadletteredMessages'
    dimension: { name: 'EntityName', operator: 'Include', values: ['*'] }
    aggregation: 'Minimum' // never empty in the whole window
    threshold: 0
  }
  {
    name: 'waiting-messages'
    description: 'A queue was never below 1,000 messages: more comes in than is done, or nothing is done.'
    severity: 2
    scope: serviceBusId
    namespace: 'Microsoft.ServiceBus/namespaces'
    metric: 'ActiveMessages'
    dimension: { name: 'EntityName', operator: 'Include', values: ['*'] }
    aggregation: 'Minimum'
    threshold: 999
  }
  {
    name: 'store-throttles'
    description: 'The store refuses requests for want of throughput (429). They are repeated; metering falls behind if it goes on.'
    severity: 2
    scope: cosmosDbId
    namespace: 'Microsoft.DocumentDB/databaseAccounts'
    metric: 'TotalRequests'
    dimension: { name: 'StatusCode', operator: 'Include', values: ['429'] }
    aggregation: 'Count'
    threshold: 100
  }
]

resource metricAlerts 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for rule in metricRules: {
    name: '${rule.name}-${name}'
    location: 'global'
    tags: tags
    properties: {
      description: rule.description
      severity: rule.severity
      enabled: true
      scopes: [rule.scope]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M'
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: rule.name
            metricNamespace: rule.namespace
            metricName: rule.metric
            dimensions: [rule.dimension]
            timeAggregation: rule.aggregation
            operator: 'GreaterThan'
            threshold: rule.threshold
          }
        ]
      }
      actions: empty(email) ? [] : [{ actionGroupId: people.id }]
    }
  }
]

// Requests are never sampled (host.json). Queue and timer functions have the result code 0; an HTTP function that fails is
// reported with the function's own success, not with that of its answer, so there only the code counts.
var logRules = [
  {
    name: 'failed-invocations'
    description: 'Functions fail. Messages are delivered again; timers run again at their next time.'
    severity: 2
    scope: insightsId
    query: 'requests | where (success == false and toint(resultCode) == 0) or (toint(resultCode) >= 500 and toint(resultCode) != 503) | summarize invocations = sum(itemCount) by operation_Name'
    measure: { timeAggregation: 'Total', metricMeasureColumn: 'invocations', operator: 'GreaterThan', threshold: 5 }
    dimensions: [{ name: 'operation_Name', operator: 'Include', values: ['*'] }]
    frequency: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'unavailable'
    description: 'The API answers 503: the store, the broker or the vault is out of reach, or too slow.'
    severity: 2
    scope: insightsId
    query: 'requests | where toint(resultCode) == 503 | summarize answers = sum(itemCount)'
    measure: { timeAggregation: 'Total', metricMeasureColumn: 'answers', operator: 'GreaterThan', threshold: 20 }
    dimensions: []
    frequency: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'standstill'
    description: 'No successful sweep_outbox, which runs every minute: the app is down, or was not deployed yet.'
    severity: 1
    scope: insightsId
    query: 'requests | where operation_Name == "sweep_outbox" and success == true'
    measure: { timeAggregation: 'Count', operator: 'LessThan', threshold: 1 }
    dimensions: []
    frequency: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'log-volume'
    description: 'More logs in a day than expected; they are paid by volume. Nothing is cut off.'
    severity: 3
    scope: workspaceId
    query: 'Usage | where IsBillable == true | summarize gigabytes = sum(Quantity) / 1000'
    measure: {
      timeAggregation: 'Total'
      metricMeasureColumn: 'gigabytes'
      operator: 'GreaterThan'
      threshold: dailyLogGigabytes
    }
    dimensions: []
    frequency: 'PT1H'
    window: 'P1D'
  }
]

resource logAlerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in logRules: {
    name: '${rule.name}-${name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: rule.name
      description: rule.description
      severity: rule.severity
      enabled: true
      scopes: [rule.scope]
      skipQueryValidation: true // a new workspace has no tables yet
      evaluationFrequency: rule.frequency
      windowSize: rule.window
      criteria: {
        allOf: [
          union(rule.measure, {
            query: rule.query
            dimensions: rule.dimensions
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          })
        ]
      }
      actions: { actionGroups: empty(email) ? [] : [people.id] }
      autoMitigate: true
    }
  }
]

resource access 'Microsoft.Insights/activityLogAlerts@2020-10-01' = {
  name: 'access-to-data-${name}'
  location: 'global'
  tags: tags
  properties: {
    description: 'Somebody was given a role in this resource group. Each provisioning gives its own roles again.'
    enabled: true
    scopes: [resourceGroup().id]
    condition: {
      allOf: [
        { field: 'category', equals: 'Administrative' }
        { field: 'status', equals: 'Succeeded' }
        {
          anyOf: [
            { field: 'operationName', equals: 'Microsoft.Authorization/roleAssignments/write' }
            { field: 'operationName', equals: 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments/write' }
          ]
        }
      ]
    }
    actions: { actionGroups: empty(email) ? [] : [{ actionGroupId: people.id }] }
  }
}

resource budget 'Microsoft.Consumption/budgets@2024-08-01' = if (monthlyBudget > 0) {
  name: 'budget-${name}'
  properties: {
    category: 'Cost'
    amount: monthlyBudget
    timeGrain: 'Monthly'
    timePeriod: { startDate: budgetStart }
    notifications: {
      spent: { enabled: true, operator: 'GreaterThan', threshold: 80, thresholdType: 'Actual', contactEmails: [email] }
      expected: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: [email]
      }
    }
  }
}
