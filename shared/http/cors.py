"""Lets pages of chosen origins read answers (CORS)."""

from collections.abc import Collection, Mapping

import msgspec

from shared.correlation import HEADER
from shared.services.storage.idempotency import Answer

READABLE = f"ETag, Location, Retry-After, RateLimit, RateLimit-Policy, {HEADER}"
"""Response headers that pages see beside those that every page sees."""
SENDABLE = "Authorization, Content-Type, Idempotency-Key, If-Match, X-API-Key"
PREFLIGHT_SECONDS = 600


def with_cors(method: str, headers: Mapping[str, str], answer: Answer, origins: Collection[str]) -> Answer:
    """The answer with what a browser needs to show it to a page of one of the origins.

    Names of request headers are in lower case. Cookies are not sent along: credentials stand in headers.
    """
    if not origins:
        return answer
    vary = ", ".join(filter(None, (answer.headers.get("Vary"), "Origin")))  # caches keep one answer for each origin
    added = {"Vary": vary}
    origin = headers.get("origin")
    if origin is not None and origin in origins:
        added |= {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": READABLE}
        if method == "OPTIONS" and "access-control-request-method" in headers:
            added |= {
                "Access-Control-Allow-Methods": answer.headers.get("Allow", ""),
                "Access-Control-Allow-Headers": SENDABLE,
                "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
            }
    return msgspec.structs.replace(answer, headers={**answer.headers, **added})
