"""Organizations with their limits, projects and departments."""

from functions.tenancy import departments, limits, organizations, projects

blueprints = (departments.blueprint, limits.blueprint, organizations.blueprint, projects.blueprint)
