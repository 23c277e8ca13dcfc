"""The page on which people read the API: Scalar's reference over our OpenAPI document, with nothing from elsewhere."""

import html
import json
from functools import cache
from pathlib import Path

SCRIPT_VERSION = "1.76.0"
"""Of the npm package `@scalar/api-reference` (MIT). `assets/` has its browser build; `make docs-script` fetches it."""

SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
)
"""The script styles the page inline. It loads the document from here and may ask nobody else."""

CACHED_FOR_A_YEAR = "public, max-age=31536000, immutable"
"""The script's address names its version, so it never changes."""

_SCRIPT = Path(__file__).parent / "assets" / f"scalar-{SCRIPT_VERSION}.js.gz"

_CONFIGURATION = {
    "withDefaultFonts": False,  # they would come from the vendor's site
    "telemetry": False,
    "proxyUrl": "",
    "agent": {"disabled": True, "hideAddApi": True},
    "mcp": {"disabled": True},
    "hideClientButton": True,
    "showDeveloperTools": "never",
    "persistAuth": False,
    "documentDownloadType": "json",
    "defaultHttpClient": {"targetKey": "shell", "clientKey": "curl"},
}


@cache
def script() -> bytes:
    """The script, compressed by gzip."""
    return _SCRIPT.read_bytes()


@cache
def page() -> bytes:
    """The page as HTML. It names the document and the script relative to its own address."""
    configuration = html.escape(json.dumps(_CONFIGURATION))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Xyra API</title>
</head>
<body>
<noscript>This page needs JavaScript. The API is also an OpenAPI 3.1 document: <a href="openapi.json">openapi.json</a>
</noscript>
<script id="api-reference" data-url="openapi.json" data-configuration="{configuration}"></script>
<script src="docs/scalar.js?v={SCRIPT_VERSION}"></script>
</body>
</html>
""".encode()
