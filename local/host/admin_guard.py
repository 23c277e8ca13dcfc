"""Who may use `/admin`: whoever can read the key's file, and no web page."""

import hmac
import ipaddress
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from local.host.problems import problem

KEY_HEADER = "x-functions-key"
READ = frozenset({"GET", "HEAD"})


def admin_key(path: Path) -> str:
    """The key in the file, made where there is none. Hosts on one data directory share it."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32))
        with suppress(FileExistsError):  # another host was faster, or an earlier one made it
            os.link(draft, path)
    finally:
        Path(draft).unlink()
    return path.read_text(encoding="ascii").strip()


def refusal(request: web.BaseRequest, key: str) -> web.Response | None:
    """The answer to a request below `/admin` that is refused; None where it may pass.

    The status needs no key. A page in a browser sends its `Origin`, or, with a name of its own that leads here, another
    `Host`: both are refused.
    """
    if "Origin" in request.headers or not _is_loopback(request.headers.get("Host", "")):
        return problem(403, "/admin is for programs on this machine")
    if request.path.rstrip("/") == "/admin/host/status" and request.method in READ:
        return None
    if not hmac.compare_digest(request.headers.get(KEY_HEADER, "").encode(), key.encode()):
        return problem(401, f"Send the key of this host as {KEY_HEADER}")
    return None


def _is_loopback(host: str) -> bool:
    """Whether a `Host` header, with or without a port, names this machine."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
