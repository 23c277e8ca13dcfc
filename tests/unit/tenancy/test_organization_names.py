"""Slugs and external ids of organizations are one namespace, and so are their claims."""

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.sqlite import Database, SqliteStore
from shared.bootstrap import Application, Ports
from shared.domain.kernel.errors import ConflictError, ValidationError
from shared.domain.kernel.ids import named_id
from shared.domain.tenancy.organization_names import (
    RESERVED_WORDS,
    SLUG_PATTERN,
    has_form_of_id,
    random_slugs_from,
    slugs_from,
)
from shared.services.tenancy.organization_names import OrganizationNames
from shared.services.tenancy.organizations import OrganizationDraft
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets

FIRST, SECOND = named_id("org", "first"), named_id("org", "second")
NOW = datetime(2026, 11, 18, tzinfo=UTC)


@pytest.fixture
def host() -> Application:
    return Application(Ports(MemoryStore(), MemoryQueue(), SettableClock(NOW), NoSecrets()), Settings())


def named(name: str = "Globex", slug: str | None = None, external_id: str | None = None) -> OrganizationDraft:
    return OrganizationDraft(name=name, currency="USD", timezone="UTC", slug=slug, external_id=external_id)


@pytest.mark.parametrize(
    ("first", "second", "field"),
    [
        (named(slug="globex"), named(slug="globex"), "/slug"),
        (named(slug="a", external_id="globex"), named(slug="b", external_id="globex"), "/external_id"),
        (named(slug="globex"), named(slug="b", external_id="globex"), "/external_id"),
        (named(slug="a", external_id="globex"), named(slug="globex"), "/slug"),
    ],
)
async def test_a_name_is_taken_whatever_it_is_used_as(
    host: Application, first: OrganizationDraft, second: OrganizationDraft, field: str
) -> None:
    await host.organizations.create(FIRST, first)
    with pytest.raises(ConflictError) as refused:
        await host.organizations.create(SECOND, second)
    assert [error.pointer for error in refused.value.errors] == [field]
    assert await host.organizations.find("globex") == FIRST


async def test_what_a_refused_organization_reserved_is_free_again(host: Application) -> None:
    await host.organizations.create(FIRST, named(slug="globex"))
    with pytest.raises(ConflictError):
        await host.organizations.create(SECOND, named(slug="globex", external_id="wanted"))
    assert await host.organizations.find("wanted") is None
    await host.organizations.create(SECOND, named(slug="wanted"))
    assert await host.organizations.find("wanted") == SECOND


async def test_one_organization_may_have_a_name_as_both(host: Application) -> None:
    await host.organizations.create(FIRST, named(external_id="globex"))
    assert (await host.organizations.get(FIRST)).slug == "globex"
    assert await host.organizations.find("globex") == FIRST


async def test_a_name_made_from_a_title_goes_out_of_the_way_of_external_ids(host: Application) -> None:
    await host.organizations.create(FIRST, named(slug="a", external_id="globex"))
    await host.organizations.create(SECOND, named())
    assert (await host.organizations.get(SECOND)).slug == "globex-2"


@pytest.mark.parametrize("name", ["operator", "admin", "unknown"])
async def test_reserved_words_are_refused(host: Application, name: str) -> None:
    with pytest.raises(ValidationError):
        await host.organizations.create(FIRST, named(slug=name))
    with pytest.raises(ValidationError):
        await host.organizations.create(FIRST, named(external_id=name.title()))
    await host.organizations.create(FIRST, named(name=name))
    assert (await host.organizations.get(FIRST)).slug == f"{name}-2"


async def test_an_external_id_cannot_be_an_id_of_ours(host: Application) -> None:
    await host.organizations.create(FIRST, named())
    with pytest.raises(ValidationError):
        await host.organizations.create(SECOND, named(external_id=FIRST))


@pytest.mark.parametrize("foreign", ["org_01EHZNVPK3SFK441A1RGBFSHRT", "org_2YZ1xT7Qv9", "org_abc"])
def test_ids_of_other_systems_are_external_ids(foreign: str) -> None:
    assert not has_form_of_id(foreign)


@given(st.text(max_size=60), st.sampled_from([FIRST, SECOND]))
def test_a_sign_up_has_a_slug_that_ends_in_six_random_characters(name: str, organization_id: str) -> None:
    slugs = list(random_slugs_from(name, organization_id))
    assert slugs == list(random_slugs_from(name, organization_id))
    assert len(set(slugs)) == len(slugs)
    for slug in slugs:
        assert re.fullmatch(SLUG_PATTERN, slug)
        assert re.search(r"-[a-z2-7]{6}$", slug)
        assert slug not in RESERVED_WORDS


def test_two_sign_ups_of_one_name_try_other_slugs() -> None:
    assert not set(random_slugs_from("Globex", FIRST)) & set(random_slugs_from("Globex", SECOND))


@given(st.text(max_size=60))
def test_slugs_of_the_operators_organizations_are_valid_and_not_reserved(name: str) -> None:
    for slug in slugs_from(name, FIRST):
        assert re.fullmatch(SLUG_PATTERN, slug)
        assert slug not in RESERVED_WORDS


async def test_a_reservation_ends_by_itself_and_finds_nobody(tmp_path: Path) -> None:
    clock, database = SettableClock(NOW), Database(tmp_path / "xyra.db")
    with closing(database):
        names = OrganizationNames(SqliteStore(database, clock))
        assert await names.reserve("globex", FIRST)
        assert await names.holders("globex") == frozenset()
        assert not await names.reserve("globex", SECOND)
        clock.set(NOW + timedelta(hours=1, seconds=1))
        assert await names.reserve("globex", SECOND)


async def test_a_late_confirmation_takes_a_name_from_nobody(host: Application) -> None:
    await host.organizations.create(SECOND, named(slug="globex"))
    await host.organizations.names.confirm("globex", FIRST)
    assert await host.organizations.find("globex") == SECOND
