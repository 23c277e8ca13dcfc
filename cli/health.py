"""Waits until a deployed app answers.

Where it does not, says what is likely wrong.
"""

import time
from http import HTTPStatus
from typing import Annotated
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import typer

from cli.execution import ExitCode, end

_PAUSE_SECONDS = 5.0
_REQUEST_SECONDS = 30.0

_NO_FUNCTION = (
    "/health answers 404: the platform found no function. Most likely it installed the dependencies with another Python"
    " than 3.13. docs/deployment.md, 'When no function is found', says how to build the package here"
)
_NO_ANSWER = "/health does not answer as it should ({last}): look at the app's log stream, then deploy again"


def health(
    base: Annotated[str, typer.Argument(metavar="URL", help="Where the app is served, such as SERVICE_API_URI.")],
    patience: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Wait so long for an answer.")] = 0,
) -> None:
    """Wait until /health answers 200: after a deployment the functions take a while to be found."""
    deadline = time.monotonic() + patience
    while (last := _answer(base)) != HTTPStatus.OK:
        if time.monotonic() + _PAUSE_SECONDS > deadline:
            end(ExitCode.DIFFERENT, _NO_FUNCTION if last == HTTPStatus.NOT_FOUND else _NO_ANSWER.format(last=last))
        time.sleep(_PAUSE_SECONDS)
    print("The app answers.", flush=True)


def _answer(base: str) -> int | str:
    """The status, or why there is none."""
    try:
        with urlopen(f"{base.rstrip('/')}/health", timeout=_REQUEST_SECONDS) as response:  # noqa: S310  the operator's own address
            return int(response.status)
    except HTTPError as error:
        return error.code
    except (URLError, TimeoutError, OSError) as error:
        return str(getattr(error, "reason", error))
