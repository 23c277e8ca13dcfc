"""Each error has a status, a code and a text for callers.

Of a fault of ours callers learn nothing, and the log all.
"""

import importlib
import logging
import pkgutil
from collections.abc import Callable
from http import HTTPStatus

import pytest

import shared
from shared.domain.kernel.errors import UNEXPECTED, FieldError, UnavailableError, ValidationError, XyraError
from shared.domain.provider_costs.exchange_rates import NoExchangeRateError
from shared.http import Call, Reply
from tests.doubles.worlds.served_endpoint import ServedEndpoint

SECRET = "the password is hunter2"

for module in pkgutil.walk_packages(shared.__path__, "shared."):
    importlib.import_module(module.name)


def subclasses(of: type[XyraError]) -> list[type[XyraError]]:
    return [found for each in of.__subclasses__() for found in (each, *subclasses(each))]


ERRORS = subclasses(XyraError)
FAULTS_OF_OURS = {"StoreError", "StoreLimitError", "InconsistentFactsError"}

every_error = pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)


def made(error: type[XyraError]) -> XyraError:
    return error("USD", "EUR") if error is NoExchangeRateError else error("It is so")  # type: ignore[call-arg]


def raising(error: Exception) -> Callable[[Call], object]:
    async def handler(_: Call) -> Reply:
        raise error

    return handler


async def problem_of(error: Exception) -> dict[str, object]:
    return await ServedEndpoint(raising(error), {}).problem()


def test_these_are_many() -> None:
    assert {"ValidationError", "StaleEtagError", "UnmeterableError", "ShardCountChangedError"} <= {
        error.__name__ for error in ERRORS
    }


@every_error
def test_each_says_its_status_beside_its_code(error: type[XyraError]) -> None:
    assert ("code" in vars(error)) == ("status" in vars(error)) == ("title" in vars(error))
    assert isinstance(error.status, HTTPStatus)
    assert (error.status is HTTPStatus.INTERNAL_SERVER_ERROR) == (error.code == "internal")


def test_those_that_say_none_are_faults_of_ours() -> None:
    assert {error.__name__ for error in ERRORS if error.code == "internal"} == FAULTS_OF_OURS


def test_a_code_has_one_status() -> None:
    assert len({error.code for error in ERRORS}) == len({(error.code, error.status) for error in ERRORS})


@every_error
async def test_each_is_a_problem_with_its_status_and_text(error: type[XyraError]) -> None:
    raised = made(error)
    problem = await problem_of(raised)
    assert problem["status"] == error.status
    assert problem["type"] == f"urn:xyra:problem:{error.code}"
    assert problem["title"] == error.title
    assert problem["detail"] == (UNEXPECTED if error.code == "internal" else raised.detail)


async def test_places_are_shown() -> None:
    error = ValidationError("Two things are wrong", errors=(FieldError("/a", "is long"), FieldError("?b", "is short")))
    assert (await problem_of(error))["errors"] == [
        {"pointer": "/a", "detail": "is long"},
        {"pointer": "?b", "detail": "is short"},
    ]


@pytest.mark.parametrize("error", [RuntimeError(SECRET), XyraError(SECRET)], ids=repr)
async def test_a_fault_of_ours_shows_nothing_and_is_logged_with_its_cause(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    error.__cause__ = KeyError("deeper")
    endpoint = ServedEndpoint(raising(error), {})
    answer = await endpoint.answer()
    assert answer.status == 500
    assert SECRET not in answer.body.decode()
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert (record.levelno, record.endpoint) == (logging.ERROR, "tried")
    assert SECRET in caplog.text
    assert "deeper" in caplog.text


async def test_what_is_unavailable_is_one_warning_with_its_cause_and_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = UnavailableError("The store does not answer", retry_after=7.4)
    error.__cause__ = OSError(SECRET)
    endpoint = ServedEndpoint(raising(error), {})
    answer = await endpoint.answer()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
    assert SECRET not in answer.body.decode()
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert (record.levelno, record.exc_info) == (logging.WARNING, None)
    assert record.cause == f"OSError: {SECRET}"
    assert record.getMessage() == "unavailable: The store does not answer"


async def test_a_refusal_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert (await problem_of(ValidationError("It is so")))["status"] == 422
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
