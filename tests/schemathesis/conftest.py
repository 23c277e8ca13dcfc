"""The host that schemathesis calls."""

from tests.doubles.clients.hosts import new_process  # noqa: F401  a fixture
