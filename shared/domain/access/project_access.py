"""What callers may do who are limited to projects."""

from collections.abc import Iterable, Mapping

from shared.domain.access.identity import ROLE_PERMISSIONS, Permission, ProjectRole
from shared.domain.kernel.value import Value

MAXIMUM_GRANTS = 100
"""Projects that a member or a key may be limited to."""

PROJECT_PERMISSIONS = frozenset(
    {
        Permission.AGENTS_READ,
        Permission.AGENTS_WRITE,
        Permission.EVENTS_READ,
        Permission.EVENTS_WRITE,
        Permission.OUTCOMES_READ,
        Permission.OUTCOMES_VERIFY,
        Permission.USAGE_READ,
        Permission.PROJECTS_READ,
        Permission.API_KEYS_READ,
        Permission.API_KEYS_WRITE,
    }
)
"""Permissions that hold for a project's agents, runs, threads, events, usage, outcomes and keys. All others are about
the whole organization.
"""


class ProjectGrant(Value):
    """What a member limited to projects is in one of them."""

    id: str
    """The project's id."""
    role: ProjectRole
    """What the member is there."""


def granted(grants: Iterable[ProjectGrant]) -> Mapping[str, frozenset[Permission]]:
    """By project what these grants allow there."""
    return {grant.id: permissions_in_project(grant.role) for grant in grants}


def permissions_in_project(role: ProjectRole) -> frozenset[Permission]:
    """What a role in a project allows there."""
    return ROLE_PERMISSIONS[role] & PROJECT_PERMISSIONS


def all_permissions(projects: Mapping[str, frozenset[Permission]]) -> frozenset[Permission]:
    """What is allowed in at least one of the projects."""
    return frozenset[Permission]().union(*projects.values())


def with_scopes(project_ids: Iterable[str], scopes: Iterable[Permission]) -> Mapping[str, frozenset[Permission]]:
    """What a key limited to projects may do in each of them."""
    allowed = frozenset(scopes) & PROJECT_PERMISSIONS
    return dict.fromkeys(project_ids, allowed)
