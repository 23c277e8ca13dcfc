"""Organizations, projects and departments."""

from functions.tenancy import departments, organizations, projects

blueprints = (departments.blueprint, organizations.blueprint, projects.blueprint)
