// The private network with much traffic, provisioned by somebody who keeps no rights.
using '../main.bicep'

param environmentName = 'private-large'
param location = 'westeurope'
param operatorPrincipalId = '33333333-3333-3333-3333-333333333333'
param grantOperator = false
param alertEmail = 'operator@example.com'
param privateNetworking = true
param ledgersThroughput = 20000
param deleteLock = true
param dataPlaneLogs = true
param zoneRedundant = true
param alwaysReadyHttp = 2
param alwaysReadyRating = 2
param publicUrl = 'https://billing.example.com'
param mail = 'smtp'
param mailSender = 'Xyra <no-reply@example.com>'
param smtpHost = 'mail.example.com'
param smtpUsername = 'xyra'
