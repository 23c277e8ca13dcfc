"""ETags without the quotation marks that Cosmos DB stores in them: ours are quoted when they become headers."""

_UNQUOTED = "~"
"""Marks an ETag that came without quotation marks, as from one emulator."""


def etag_of(stored: str) -> str:
    return stored[1:-1] if stored.startswith('"') else _UNQUOTED + stored


def if_match(etag: str) -> str:
    return etag[1:] if etag.startswith(_UNQUOTED) else f'"{etag}"'
