"""What answers a path that no endpoint has, or a method that a path does not have."""

import azure.functions as func

from shared.http import catch_all

blueprint = func.Blueprint()

catch_all(blueprint)
