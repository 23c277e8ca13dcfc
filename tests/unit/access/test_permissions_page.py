"""docs/permissions.md has the table of the code."""

from shared.domain.access.identity import OPERATOR_ONLY, OPERATOR_PERMISSIONS, ROLE_PERMISSIONS, Permission
from tests.places import ROOT

PAGE = (ROOT / "docs" / "permissions.md").read_text(encoding="utf-8")


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_each_role_has_the_permissions_that_the_page_says() -> None:
    head, _, *rows = [line for line in PAGE.splitlines() if line.startswith("|")]
    told: dict[str, set[str]] = {role: set() for role in cells(head)[1:]}
    for row in rows:
        permission, *marks = cells(row)
        for role, mark in zip(told, marks, strict=True):
            if mark:
                told[role].add(permission.strip("`"))
    assert told == {
        **{role: {each.value for each in permissions} for role, permissions in ROLE_PERMISSIONS.items()},
        **{f"operator: {role}": {each.value for each in had} for role, had in OPERATOR_PERMISSIONS.items()},
    }
    assert {cells(row)[0] for row in rows} == {f"`{permission.value}`" for permission in Permission}


def test_the_page_names_what_is_the_operators_alone() -> None:
    text = " ".join(PAGE.split())
    listed = text.split("the operator's own nine (")[1].split(")")[0]
    assert {name.strip("` ") for name in listed.split(",")} == {permission.value for permission in OPERATOR_ONLY}
