// Much traffic: provisioned throughput, zones, and instances that never sleep.
using '../main.bicep'

param environmentName = 'large'
param location = 'westeurope'
param operatorPrincipalId = '33333333-3333-3333-3333-333333333333'
param alertEmail = 'operator@example.com'
param monthlyBudget = 1000
param budgetStart = '2026-12-01'
param ledgersThroughput = 20000
param zoneRedundant = true
param alwaysReadyHttp = 2
param alwaysReadyRating = 2
