"""An answer is what its endpoint declares, whatever the handler has in its hands."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.kernel.entity import Entity
from shared.domain.kernel.money import ExactDecimal, RoundedAmount
from shared.http import Call, Document, Reply, Schema, VerbatimJson, VerbatimObject
from shared.services.storage.idempotency import Answer
from tests.doubles.worlds.served_endpoint import ServedEndpoint, request


class User(Entity):
    name: str
    password_hash: str = "hidden"


class UserAnswer(Schema):
    id: str
    name: str


class NamedUser(UserAnswer):
    password_hash: str = "hidden"


@dataclass(frozen=True)
class Plain:
    id: str
    name: str
    password_hash: str


class Team(Schema):
    lead: UserAnswer
    members: list[UserAnswer]


ADA = User(id="usr_1", name="Ada")


async def answered(content: object, declared: Any, method: str = "GET", **reply: Any) -> Answer:
    async def handler(_: Call) -> Reply:
        return Reply(content, **reply)

    return await ServedEndpoint(handler, {"answers": declared}).answer(request(method))


async def shown(content: object, declared: Any) -> Any:
    answer = await answered(content, {200: declared})
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


@pytest.mark.parametrize(
    "content",
    [ADA, UserAnswer(id="usr_1", name="Ada"), NamedUser(id="usr_1", name="Ada"), Plain("usr_1", "Ada", "hidden")],
    ids=lambda content: type(content).__name__,
)
async def test_a_field_outside_the_model_never_leaves(content: object) -> None:
    assert await shown(content, UserAnswer) == {"id": "usr_1", "name": "Ada"}


async def test_nor_one_of_an_entity_inside_another_answer() -> None:
    team = await shown({"lead": ADA, "members": [ADA, ADA]}, Team)
    assert team == {"lead": {"id": "usr_1", "name": "Ada"}, "members": 2 * [{"id": "usr_1", "name": "Ada"}]}


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        {"id": "usr_1"},
        {"id": "usr_1", "name": "Ada", "password_hash": "hidden"},
        UserAnswer(id="usr_1", name="Ada").model_copy(update={"name": 7}),
        [],
        b"{}",
    ],
    ids=repr,
)
async def test_what_does_not_fit_is_a_fault_of_ours_and_shows_nothing(
    content: object, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await answered(content, {200: UserAnswer})
    assert answer.status == 500
    assert "hidden" not in answer.body.decode() + caplog.text
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_so_is_a_status_that_is_not_declared(caplog: pytest.LogCaptureFixture) -> None:
    answer = await answered(ADA, {200: UserAnswer}, status=201)
    assert answer.status == 500
    assert "declares no answer 201" in caplog.text


async def test_a_credential_is_answered_only_with_what_repetitions_get_in_its_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handler(_: Call) -> Reply:
        return Reply(ADA)

    answer = await ServedEndpoint(handler, {"answers": {200: UserAnswer}, "secret_answer": True}).answer()
    assert answer.status == 500
    assert "says nothing that can be kept" in caplog.text


async def test_the_first_status_needs_no_naming() -> None:
    assert (await answered(ADA, {201: UserAnswer, 204: None})).status == 201
    nothing = await answered(None, {201: UserAnswer, 204: None}, status=204)
    assert (nothing.status, nothing.body) == (204, b"")


async def test_a_head_is_answered_as_a_get_without_a_body() -> None:
    get, head = [await answered(ADA, {200: UserAnswer}, method, etag="7") for method in ("GET", "HEAD")]
    assert (head.status, head.headers["ETag"], head.body) == (200, '"7"', b"")
    assert get.body != b""


class Amounts(Schema):
    exact: ExactDecimal
    rounded: RoundedAmount
    free: Mapping[str, Any]


async def test_amounts_are_texts_as_their_type_writes_them() -> None:
    amounts = {"exact": Decimal("26.00"), "rounded": Decimal("26.00"), "free": {"1": Decimal("26.00")}}
    assert await shown(amounts, Amounts) == {"exact": "26", "rounded": "26.00", "free": {"1": "26.00"}}


class Kept(Schema):
    metadata: VerbatimObject
    result: VerbatimJson
    nothing: VerbatimJson


async def test_json_of_callers_leaves_as_it_came() -> None:
    text = '{"n":12345678901234567890.10,"e":1E-30,"s":"1"}'
    answer = await answered({"metadata": text, "result": "[1.0]", "nothing": None}, {200: Kept})
    assert answer.body.decode() == f'{{"metadata":{text},"result":[1.0],"nothing":null}}'


async def test_bytes_leave_as_they_are_where_they_are_declared() -> None:
    assert (await answered(b'{"a": 1}', {200: Document})).body == b'{"a": 1}'
