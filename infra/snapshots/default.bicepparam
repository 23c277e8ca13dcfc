// What `azd up` makes when nothing is chosen: azd itself fills in whoever runs it.
using '../main.bicep'

param environmentName = 'default'
param location = 'westeurope'
param operatorPrincipalId = '33333333-3333-3333-3333-333333333333'
