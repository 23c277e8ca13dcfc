"""Organizations with their settings, limits and exports, projects and departments."""

from functions.tenancy import departments, exports, limits, organization_settings, organizations, payers, projects

blueprints = (
    departments.blueprint,
    exports.blueprint,
    limits.blueprint,
    organization_settings.blueprint,
    organizations.blueprint,
    payers.blueprint,
    projects.blueprint,
)
