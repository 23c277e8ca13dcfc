// Data services that answer inside a network of their own only.
using '../main.bicep'

param environmentName = 'private'
param location = 'westeurope'
param operatorPrincipalId = '33333333-3333-3333-3333-333333333333'
param alertEmail = 'operator@example.com'
param privateNetworking = true
