"""Secrets that have to be there: made once, by the first-run step or, where that is allowed, at the first use."""

from collections.abc import Callable

from shared.domain.kernel.errors import NotFoundError
from shared.ports.secrets import NotAllowedError, Secrets


async def value_or_first(secrets: Secrets, name: str, make: Callable[[], str]) -> tuple[str, bool]:
    """The value, and whether it was made now. Reads before it makes: on Azure the functions may only read.

    Raises `NotAllowedError` where there is none and this identity may not make one.
    """
    try:
        return await secrets.get(name), False
    except NotFoundError:
        fresh = make()
    try:
        kept = await secrets.set_if_absent(name, fresh)
    except NotAllowedError as error:
        raise NotAllowedError(
            f"The secret {name} is missing and cannot be made from here: run `python -m cli setup`", retry_after=30
        ) from error
    return kept, kept == fresh
