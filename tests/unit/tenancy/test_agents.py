"""When agents come back to a billing model that they left."""

from datetime import UTC, datetime

import pytest

from shared.domain.kernel.histories import Entry, History
from shared.domain.tenancy.agents import Agent


def on(day: int, month: int = 10) -> datetime:
    return datetime(2026, month, day, tzinfo=UTC)


def agent(*entries: tuple[datetime, str | None]) -> Agent:
    models = History[str | None](entries=tuple(Entry(effective_from=at, value=model) for at, model in entries))
    return Agent(id="agt_1", organization_id="org_1", external_id="a", name="A", models=models, created_at=on(1))


TO_AND_FRO = ((on(1, 9), "bm_1"), (on(5), "bm_2"), (on(10), "bm_1"), (on(15), None), (on(20), "bm_1"))


@pytest.mark.parametrize(
    ("day", "returned"), [(1, None), (4, None), (5, None), (10, on(10)), (14, on(10)), (15, None), (20, on(20))]
)
def test_an_agent_comes_back_with_the_first_moment_of_the_model_that_it_had(
    day: int, returned: datetime | None
) -> None:
    assert agent(*TO_AND_FRO).returned_at(on(day), since=on(1)) == returned


def test_a_model_that_was_left_in_an_earlier_period_is_a_new_one() -> None:
    assert agent(*TO_AND_FRO).returned_at(on(12), since=on(5)) is None
    assert agent(*TO_AND_FRO).returned_at(on(25), since=on(5)) == on(20)


def test_an_agent_that_never_changed_its_model_never_left() -> None:
    assert agent((on(1), "bm_1")).returned_at(on(3), since=on(1)) is None
    assert agent((on(2), "bm_1"), (on(3), "bm_1")).returned_at(on(4), since=on(1)) is None
    assert agent((on(2), "bm_1")).returned_at(on(1), since=on(1)) is None
