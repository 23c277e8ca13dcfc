"""Sends the effects in the outbox that were not sent at once."""

import azure.functions as func

from shared import correlation
from shared.bootstrap import application
from shared.services.storage import within_deadline

blueprint = func.Blueprint()


@blueprint.function_name("sweep_outbox")
@blueprint.timer_trigger(arg_name="timer", schedule="30 * * * * *")
async def sweep_outbox(timer: func.TimerRequest) -> None:  # noqa: ARG001  the platform's signature
    with correlation.correlated(correlation.accept(None)):
        await within_deadline(application().outbox.sweep())
