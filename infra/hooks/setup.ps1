# Run by azd after each deployment (azure.yaml), with the outputs of main.bicep as variables: the first-run step, then a wait until
# the app answers. Safe to repeat.
$ErrorActionPreference = 'Stop'
Set-Location (Join-Path $PSScriptRoot '../..')

$command = if ($env:PYTHON) { $env:PYTHON } else { 'python' }
$python = '.venv/Scripts/python.exe'
if (-not (Test-Path $python)) {
    & $command -m venv .venv
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}
& $python -m pip install --quiet --disable-pip-version-check '.[cli]'
if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }

if ($env:PRIVATE_NETWORKING -eq 'true') {
    Write-Output "Private networking: run 'python -m cli setup' from inside the network (docs/deployment.md)."
} elseif ($env:GRANT_OPERATOR -eq 'false') {
    Write-Output 'GRANT_OPERATOR is false: whoever deploys may not write secrets, so the first-run step is skipped.'
} else {
    & $python -m cli setup --patience 600
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}
& $python -m cli health $env:SERVICE_API_URI --patience 300
exit $LASTEXITCODE
