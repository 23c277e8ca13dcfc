"""An account remembers where its memberships have ended, and forgets it where it is a member again."""

from shared.domain.access.accounts import ACCOUNT, MAXIMUM_FORMER_ORGANIZATIONS, Account
from tests.doubles.worlds.invoiced_organization import NOW


def account(*organization_ids: str) -> Account:
    return Account(
        id=ACCOUNT,
        user_id="usr_1",
        email="ada@example.com",
        full_name="Ada",
        password_hash=None,
        status="active",
        organization_ids=organization_ids,
        created_at=NOW,
    )


def test_leaving_and_coming_back() -> None:
    ada = account("org_1", "org_2")
    left = ada.in_organization("org_1", is_member=False)
    assert (left.organization_ids, left.former_organization_ids) == (("org_2",), ("org_1",))
    assert left.in_organization("org_1", is_member=False) == left
    back = left.in_organization("org_1", is_member=True)
    assert (back.organization_ids, back.former_organization_ids) == (("org_2", "org_1"), ())
    assert back.in_organization("org_1", is_member=True) == back


def test_the_newest_are_remembered() -> None:
    ada = account()
    for number in range(MAXIMUM_FORMER_ORGANIZATIONS + 2):
        ada = ada.in_organization(f"org_{number}", is_member=False)
    assert len(ada.former_organization_ids) == MAXIMUM_FORMER_ORGANIZATIONS
    assert ada.former_organization_ids[-1] == f"org_{MAXIMUM_FORMER_ORGANIZATIONS + 1}"


def test_an_account_of_before_remembers_none() -> None:
    document = account("org_1").document()
    del document["former_organization_ids"]
    assert Account.read(document).former_organization_ids == ()
