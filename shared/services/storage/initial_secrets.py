"""Secrets that have to exist: created once, by the first-run step or, where allowed, at the first use."""

from collections.abc import Callable

from shared.domain.kernel.errors import NotFoundError
from shared.ports.secrets import NotAllowedError, Secrets


async def value_or_first(secrets: Secrets, name: str, make: Callable[[], str]) -> tuple[str, bool]:
    """The secret's value, and whether it was created now.

    It is read first, because on Azure the functions may only read. Raises `NotAllowedError` where there is none and
    this identity may not create one.
    """
    try:
        return await secrets.get(name), False
    except NotFoundError:
        fresh = make()
    try:
        value = await secrets.set_if_absent(name, fresh)
    except NotAllowedError as error:
        raise NotAllowedError(
            f"The secret {name} is missing and cannot be made from here: run `python -m cli setup`", retry_after=30
        ) from error
    return value, value == fresh
