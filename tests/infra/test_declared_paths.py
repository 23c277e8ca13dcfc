"""Every function of the app that writes is tried with faults in turn, or is named with a reason."""

import function_app
from shared.http import ENDPOINTS
from tests.faults.in_turn.declared import PATHS, WITHOUT_PATH
from tools.infra.app import triggers

assert function_app.app, "importing it declares the endpoints"


def test_every_function_that_is_not_a_read_is_on_a_path_or_named_with_a_reason():
    reads = {endpoint.name for endpoint in ENDPOINTS if endpoint.method == "GET"}
    on_paths = [name for declared in PATHS for name in declared.functions]
    assert sorted([*on_paths, *WITHOUT_PATH]) == sorted(triggers().keys() - reads)
