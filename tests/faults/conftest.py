"""The hosts that these tests talk to."""

from tests.doubles.clients.hosts import (  # noqa: F401  fixtures
    new_process,
    shared_host,
    small_host,
    time_machine,
    travelling_host,
    travelling_hosts,
    xyra,
)
