// The private network with much traffic, provisioned by somebody who keeps no rights.
using '../main.bicep'

param environmentName = 'private-large'
param location = 'westeurope'
param alertEmail = 'operator@example.com'
param privateNetworking = true
param ledgersThroughput = 20000
param zoneRedundant = true
param alwaysReadyHttp = 2
param alwaysReadyRating = 2
