"""Unpacking what others packed, never more of it than is allowed."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from shared.domain.kernel.errors import FieldError, MalformedError, TooLargeError

_GZIP_BITS = zlib.MAX_WBITS | 16
"""The window of `zlib`, and that a header of gzip comes first."""


@dataclass(frozen=True, slots=True)
class PackedBody:
    """The body of a request as it came: it is unpacked and read where that holds nobody up."""

    raw: bytes
    is_packed: bool = False
    """In gzip."""

    @classmethod
    def of(cls, headers: Mapping[str, str], raw: bytes) -> Self:
        return cls(raw, headers.get("content-encoding", "").strip().lower() == "gzip")

    def refuse_beyond(self, limit: int) -> None:
        """Raises `TooLargeError` for more bytes than that as they were sent."""
        if len(self.raw) > limit:
            raise too_large(f"has {len(self.raw)} bytes, at most {limit} are allowed; send smaller batches")

    def content(self, limit: int) -> bytes:
        """Unpacked. Raises as `unpacked`."""
        return unpacked(self.raw, limit) if self.is_packed else self.raw


def unpacked(raw: bytes, limit: int) -> bytes:
    """The content of a body in gzip.

    Raises `TooLargeError`, without unpacking more than the limit, and `MalformedError`.
    """
    stream = zlib.decompressobj(_GZIP_BITS)
    try:
        content = stream.decompress(raw, limit + 1)
    except zlib.error as error:
        raise MalformedError("The body is not gzip, which Content-Encoding says it is") from error
    if len(content) > limit:
        raise too_large(f"has more than {limit} bytes when it is unpacked")
    if not stream.eof or stream.unused_data:
        raise MalformedError("The body is not one whole stream of gzip, which Content-Encoding says it is")
    return content


def too_large(detail: str) -> TooLargeError:
    return TooLargeError(f"The body {detail}", errors=(FieldError("", detail),))
