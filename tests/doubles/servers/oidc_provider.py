"""The npm package `oidc-provider`, certified for OpenID Connect, as a child process. `make npm-tools` installs it."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
import pytest

_HERE = Path(__file__).parent
_PACKAGE = _HERE.parent / "node_modules" / "oidc-provider"
_MISSING = "oidc-provider is not installed: make npm-tools"
_ACTION = re.compile(r'<form [^>]*action="([^"]+)"')
_PROMPT = re.compile(r'name="prompt" value="(\w+)"')
_MOST_STEPS = 12


class CertifiedProvider:
    def __init__(self, process: "subprocess.Popen[str]", issuer: str) -> None:
        self._process = process
        self.issuer = issuer

    def become(self, *, client_id: str, client_secret: str, redirect_uri: str, domain: str) -> None:
        """Know this client, and people of this domain."""
        said = {"clientId": client_id, "clientSecret": client_secret, "redirectUri": redirect_uri, "domain": domain}
        assert self._process.stdin is not None
        print(json.dumps(said), file=self._process.stdin, flush=True)
        _line(self._process, "ready")

    async def sign_in(self, url: str, name: str) -> str:
        """Where the browser is sent back to, once somebody has signed in and agreed on the provider's own pages."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            form: dict[str, str] | None = None
            for _ in range(_MOST_STEPS):
                if not url.startswith(self.issuer):
                    return url
                method = "GET" if form is None else "POST"
                async with browser.request(method, url, data=form, allow_redirects=False) as response:
                    text, form = await response.text(), None
                    assert response.status < 400, text
                    if "Location" in response.headers:
                        url = urljoin(url, response.headers["Location"])
                        continue
                (action,), (prompt,) = _ACTION.findall(text), _PROMPT.findall(text)
                url, form = urljoin(url, action), {"prompt": prompt, "login": name, "password": "any"}
        raise AssertionError(f"The provider asks for more than {_MOST_STEPS} steps")


@contextmanager
def certified_provider() -> Iterator[CertifiedProvider]:
    """Skips the test where the package is missing; with `XYRA_REQUIRE_NPM=1` it fails."""
    node = shutil.which("node")
    if node is None or not _PACKAGE.is_dir():
        if os.environ.get("XYRA_REQUIRE_NPM") == "1":
            pytest.fail(_MISSING)
        pytest.skip(_MISSING)
    process = subprocess.Popen(  # noqa: S603  our own script
        [node, str(_HERE / "oidc_provider.mjs")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    with process, process.stdin:
        yield CertifiedProvider(process, _line(process, "http"))


def _line(process: "subprocess.Popen[str]", beginning: str) -> str:
    """The next line that begins so: the package warns between them that it is for tests."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(beginning):
            return line.strip()
    raise AssertionError("The server has ended")
