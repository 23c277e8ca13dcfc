"""Cosmos DB's etags contain their quotation marks; ours do not, as they go into `ETag` headers between others."""

_UNQUOTED = "~"
"""Marks an etag that came without, as one emulator's do."""


def etag_of(stored: str) -> str:
    return stored[1:-1] if stored.startswith('"') else _UNQUOTED + stored


def if_match(etag: str) -> str:
    return etag[1:] if etag.startswith(_UNQUOTED) else f'"{etag}"'
