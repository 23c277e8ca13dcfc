"""The function for requests without an endpoint: unknown paths and methods."""

import azure.functions as func

from shared.http import catch_all

blueprint = func.Blueprint()

catch_all(blueprint)
