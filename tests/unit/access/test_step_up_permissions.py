"""Which permissions ask users to show again who they are: each that changes something is decided on."""

from shared.domain.access.identity import AFTER_STEP_UP, READING, Permission

EVERY_DAY = {
    Permission.AGENTS_WRITE: "agents come and go with each release; what they cost is in billing models",
    Permission.PROJECTS_WRITE: "where costs are allocated, and not how much they are",
    Permission.EVENTS_WRITE: "reports of usage",
    Permission.CREDITS_USE: "spending by the prices that the operator has set",
}
"""Permissions that change things and ask for nothing anew, with the reason."""


def test_every_permission_that_changes_money_or_access_asks_again() -> None:
    assert set(Permission) - READING == AFTER_STEP_UP | set(EVERY_DAY)
    assert AFTER_STEP_UP.isdisjoint(EVERY_DAY)
    assert AFTER_STEP_UP.isdisjoint(READING)
