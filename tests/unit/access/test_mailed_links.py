"""Links in mails: made the same each time, stored as a hash, and good for a while."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.adapters.secret_file.secrets import LocalSecrets
from shared.containers import DIRECTORY
from shared.domain.access.links import LIFETIMES, PAGES, Purpose, path_of
from shared.domain.kernel.errors import InvalidTokenError
from shared.services.access.mailed_links import LinkRequest, MailedLinks
from tests.doubles.fakes.fault_in_turn import RememberingStore
from tests.doubles.fakes.settable_clock import SettableClock

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
REQUEST = LinkRequest("verification", "req_1", "usr_1", "fingerprint", NOW)


class World:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = SettableClock(NOW)
        self.store = RememberingStore(self.clock)

    def links(self) -> MailedLinks:
        return MailedLinks(LocalSecrets(self.path), self.store, self.clock, "https://billing.example.com")

    async def token(self, request: LinkRequest = REQUEST) -> str:
        link = await self.links().issue(request)
        assert link is not None
        return token_in(link.url)

    def documents(self) -> list[str]:
        return [
            json.dumps(item.document)
            for pk in self.store.partitions_of(DIRECTORY.name)
            for item in self.store.items_of(DIRECTORY.name, pk)
        ]


def token_in(url: str) -> str:
    parts = urlsplit(url)
    return parse_qs(parts.query)["token"][0] if parts.query else parts.path.rpartition("/")[2]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "secrets.json")


async def test_a_link_leads_to_the_page_of_its_purpose_and_opens_what_it_was_asked_for(world: World) -> None:
    for purpose in PAGES:
        link = await world.links().issue(replace(REQUEST, purpose=purpose))
        assert link is not None
        assert link.url == f"https://billing.example.com/{path_of(purpose, token_in(link.url))}"
        assert PAGES[purpose] in link.url
        assert link.expires_at == NOW + LIFETIMES[purpose]
        found = await world.links().find(purpose, token_in(link.url))
        assert (found.request_id, found.holder_id, found.address_fingerprint) == ("req_1", "usr_1", "fingerprint")


async def test_it_is_the_same_each_time_in_each_process(world: World) -> None:
    assert await world.token() == await world.token()
    assert len(world.documents()) == 1


async def test_other_requests_and_purposes_have_other_tokens(world: World) -> None:
    requests = [REQUEST, replace(REQUEST, request_id="req_2"), replace(REQUEST, purpose="invitation")]
    assert len({await world.token(request) for request in requests}) == 3


async def test_no_item_holds_the_token(world: World) -> None:
    token = await world.token()
    partitions = " ".join(world.store.partitions_of(DIRECTORY.name))
    assert token not in " ".join(world.documents()) + partitions


async def test_another_vault_makes_other_tokens(world: World, tmp_path: Path) -> None:
    assert await world.token() != await World(tmp_path / "other.json").token()


@pytest.mark.parametrize("purpose", PAGES)
async def test_it_works_for_its_time_and_no_longer(world: World, purpose: Purpose) -> None:
    token = await world.token(replace(REQUEST, purpose=purpose))
    world.clock.move(LIFETIMES[purpose] - timedelta(seconds=1))
    await world.links().find(purpose, token)
    world.clock.move(timedelta(seconds=1))
    with pytest.raises(InvalidTokenError):
        await world.links().find(purpose, token)


async def test_a_mail_that_comes_too_late_has_no_link(world: World) -> None:
    world.clock.move(LIFETIMES["verification"])
    assert await world.links().issue(REQUEST) is None
    assert world.documents() == []


async def test_unknown_expired_and_foreign_tokens_get_one_answer(world: World) -> None:
    token = await world.token()
    answers = set()
    for purpose, offered in (("password_reset", token), ("verification", token[:-1]), ("verification", "")):
        with pytest.raises(InvalidTokenError) as raised:
            await world.links().find(purpose, offered)
        answers.add((raised.value.code, raised.value.detail, raised.value.errors))
    world.clock.move(timedelta(days=1))
    with pytest.raises(InvalidTokenError) as raised:
        await world.links().find("verification", token)
    assert answers == {(raised.value.code, raised.value.detail, raised.value.errors)}
