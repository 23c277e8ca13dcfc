"""The lists of an organization as their routes answer them, for exports: whatever is listed is in them."""

from collections.abc import AsyncIterator
from typing import Any

from pydantic import BaseModel

from shared import json
from shared.bootstrap import Application
from shared.domain.access.identity import OPERATOR_ONLY, ROLE_PERMISSIONS, Permission, Principal
from shared.domain.kernel.errors import ForbiddenError
from shared.http.bodies import validated
from shared.http.declaration import ENDPOINTS, Endpoint
from shared.http.platform import HANDLERS
from shared.http.schemas import ListQuery, NoBody
from shared.http.tenancy import Call
from shared.services.tenancy.export_volumes import ListPage, Lists, OneList

_LARGEST_PAGE = "200"
_OWNERS = ROLE_PERMISSIONS["owner"] - OPERATOR_ONLY


def lists_of(application: Application, organization_id: str) -> Lists:
    """By the path of each list route, its items page by page, with all that an owner may see."""
    owner = Principal("export", organization_id, _OWNERS, role="owner")

    def pages(declared: Endpoint) -> OneList:
        return lambda cursor: _pages(application, declared, owner, cursor)

    return {declared.path.strip("/").replace("/", "."): pages(declared) for declared in list_routes()}


def list_routes() -> list[Endpoint]:
    """Those that need nothing but the organization, and a permission that its owners have."""
    return [declared for declared in ENDPOINTS if _is_list(declared)]


def _is_list(declared: Endpoint) -> bool:
    answer = declared.answers.get(200)
    is_page = (
        isinstance(answer, type) and issubclass(answer, BaseModel) and {"data", "next_cursor"} <= {*answer.model_fields}
    )
    needs = any(field.is_required() for field in declared.query.model_fields.values())
    is_own = isinstance(declared.access, Permission) and declared.access in _OWNERS
    return declared.method == "GET" and is_page and is_own and not needs and not declared.path_values.model_fields


async def _pages(
    application: Application, declared: Endpoint, owner: Principal, cursor: str | None
) -> AsyncIterator[ListPage]:
    while True:
        try:
            page = await _page(application, declared, owner, cursor)
        except ForbiddenError:
            return  # it is the operator's, whatever the permission
        cursor = page["next_cursor"]
        yield ListPage(page["data"], cursor)
        if cursor is None:
            return


async def _page(application: Application, declared: Endpoint, owner: Principal, cursor: str | None) -> dict[str, Any]:
    parameters = {"limit": _LARGEST_PAGE} if issubclass(declared.query, ListQuery) else {}
    if cursor is not None:
        parameters["cursor"] = cursor
    call = Call(
        services=application,
        principal=owner,
        body=NoBody(),
        query=validated(declared.query, parameters, "?"),
        path=declared.path_values(),
        headers={},
        now=application.clock.now(),
        if_match=None,
        idempotency_key=None,
        request_hash="",
    )
    if declared.authorize is not None:
        await declared.authorize(call)
    reply = await HANDLERS[declared.name](call)
    page: dict[str, Any] = json.decode(reply.answer(declared).body)
    return page
