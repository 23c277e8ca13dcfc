"""Health, and the documentation of the API."""

from typing import Literal

import azure.functions as func

from shared.domain.kernel.errors import UnavailableError
from shared.http import Access, Call, Document, Reply, Schema, TextFile, docs_page, endpoint, openapi

blueprint = func.Blueprint()


class HealthAnswer(Schema):
    status: Literal["ok"] = "ok"


@endpoint(
    blueprint,
    "GET",
    "/health",
    summary="Whether the process is running",
    access=Access.PUBLIC,
    answers={200: HealthAnswer},
)
async def health(call: Call) -> Reply:  # noqa: ARG001  it only has to answer
    return Reply(HealthAnswer())


@endpoint(
    blueprint,
    "GET",
    "/health/ready",
    summary="Whether the store and the queue are reachable, as it was at most 10 seconds ago",
    access=Access.PUBLIC,
    answers={200: HealthAnswer},
    errors=(UnavailableError,),
)
async def health_ready(call: Call) -> Reply:
    await call.services.check_ready()
    return Reply(HealthAnswer())


@endpoint(
    blueprint,
    "GET",
    "openapi.json",
    summary="The OpenAPI 3.1 document of this API",
    access=Access.PUBLIC,
    answers={200: Document},
)
async def openapi_document(call: Call) -> Reply:  # noqa: ARG001  the same for everyone
    return Reply(openapi.document())


@endpoint(
    blueprint,
    "GET",
    "docs",
    summary="The documentation of this API as a page",
    access=Access.PUBLIC,
    answers={200: TextFile},
    media_type="text/html",
)
async def docs(call: Call) -> Reply:  # noqa: ARG001  the same for everyone
    return Reply(
        docs_page.page(),
        headers={"Content-Security-Policy": docs_page.SECURITY_POLICY},
    )


@endpoint(
    blueprint,
    "GET",
    "docs/scalar.js",
    summary="The script of the documentation page",
    access=Access.PUBLIC,
    answers={200: TextFile},
    media_type="text/javascript",
)
async def docs_script(call: Call) -> Reply:  # noqa: ARG001  the same for everyone
    return Reply(
        docs_page.script(),
        headers={"Content-Encoding": "gzip", "Cache-Control": docs_page.CACHED_FOR_A_YEAR},
    )
