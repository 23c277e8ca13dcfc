"""Organizations with their settings and limits, projects and departments."""

from functions.tenancy import departments, limits, organization_settings, organizations, payers, projects

blueprints = (
    departments.blueprint,
    limits.blueprint,
    organization_settings.blueprint,
    organizations.blueprint,
    payers.blueprint,
    projects.blueprint,
)
