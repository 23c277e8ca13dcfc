"""The worked examples with known answers, as users get them."""

from decimal import Decimal

import pytest

from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.worlds.oracles import Case, parameters


@pytest.fixture(scope="session")
def organizations() -> list[Organization]:
    """One at most: calculating changes nothing, so all examples can have the same."""
    return []


@pytest.fixture
async def organization(xyra: Xyra, organizations: list[Organization]) -> Organization:
    if not organizations:
        organizations.append(await xyra.organization())
    return xyra.again(organizations[0])


@pytest.mark.parametrize("case", parameters())
async def test_calculating_gives_the_known_answers(organization: Organization, case: Case) -> None:
    answer = await organization.key.post("billing-models/calculate", case.request(), expect=200)
    if case.exact is not None:
        assert answer["exact_total"] == f"{case.exact.normalize():f}"
    if case.rounded is not None:
        assert Decimal(answer["total"]) == case.rounded
