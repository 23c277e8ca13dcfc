# Run by azd before it provisions (azure.yaml). A subnet of Flex Consumption needs the resource provider Microsoft.App,
# which no template can register; without it the deployment fails with an internal error that does not say so.
$ErrorActionPreference = 'Stop'

if ($env:PRIVATE_NETWORKING -ne 'true') { exit 0 }

$arguments = @('provider', 'register', '--namespace', 'Microsoft.App', '--wait')
if ($env:AZURE_SUBSCRIPTION_ID) { $arguments += @('--subscription', $env:AZURE_SUBSCRIPTION_ID) }
$registered = $false
if (Get-Command az -ErrorAction SilentlyContinue) {
    & az @arguments
    $registered = $LASTEXITCODE -eq 0
}
if (-not $registered) {
    Write-Output "Private networking needs the resource provider Microsoft.App. Unless the subscription has it, stop and run: az $arguments"
}
exit 0
