"""`If-Match`: a caller changes only the version that it read."""

from shared.domain.kernel.errors import PreconditionFailedError


def check_if_match(if_match: str | None, etag: str) -> None:
    """Raises `PreconditionFailedError` where the caller named another version than the current one."""
    if if_match is not None and if_match != etag:
        raise PreconditionFailedError("It has changed since it was read; read it again")
