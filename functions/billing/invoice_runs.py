"""Invoicing by timer and queue."""

import azure.functions as func

from shared import correlation
from shared.bootstrap import application
from shared.services.billing.invoice_runs import read_task
from shared.services.storage import retry_while_unavailable

blueprint = func.Blueprint()


@blueprint.function_name("start_invoice_runs")
@blueprint.timer_trigger(arg_name="timer", schedule="0 5 * * * *")
async def start_invoice_runs(timer: func.TimerRequest) -> None:  # noqa: ARG001  the platform's signature
    """Runs hourly, because months end at a different hour in each timezone."""
    with correlation.correlated(correlation.accept(None)):
        await application().invoice_runs.start_all()


@blueprint.function_name("run_invoices")
@blueprint.service_bus_queue_trigger(
    arg_name="message",
    queue_name="invoices",
    connection="ServiceBus",
    is_sessions_enabled=True,
    data_type=func.DataType.BINARY,
)
async def run_invoices(message: func.ServiceBusMessage) -> None:
    with correlation.correlated(correlation.accept(message.correlation_id)):
        task = read_task(message.get_body())
        await retry_while_unavailable(lambda: application().invoice_runs.run(task))


@blueprint.function_name("fail_dead_invoice_runs")
@blueprint.service_bus_queue_trigger(
    arg_name="message",
    queue_name="invoices/$deadletterqueue",
    connection="ServiceBus",
    data_type=func.DataType.BINARY,
)
async def fail_dead_invoice_runs(message: func.ServiceBusMessage) -> None:
    """Marks an organization as failed in its job after 100 deliveries. Runs by the timer repeat anyway."""
    with correlation.correlated(correlation.accept(message.correlation_id)):
        await retry_while_unavailable(lambda: application().invoice_runs.give_up(message.get_body()))
