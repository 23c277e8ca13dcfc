"""Totals against the events that they came from."""

from typing import Annotated

import typer

from cli.execution import ExitCode, end, note, run
from shared.bootstrap import Application
from shared.domain.kernel.audit import Target
from shared.domain.kernel.errors import NotFoundError
from shared.services.usage.repair import ShardReport


def repair(
    organization: Annotated[str, typer.Option(help="Its id, slug or external id.")],
    period: Annotated[str, typer.Option(help="The billing period that contains this month's 15th.", metavar="YYYY-MM")],
    *,
    mend: Annotated[bool, typer.Option("--mend", help="Put right what is wrong.")] = False,
) -> None:
    """Compute a period's totals again from its events and outcomes, and show differences.

    Safe while events flow. Ends with 6 where something is wrong and was not mended, or moved whenever it was looked at.
    """

    async def act(application: Application) -> None:
        organization_id = await application.organizations.find(organization)
        if organization_id is None:
            raise NotFoundError("There is no such organization")
        repaired = await application.organizations.get(organization_id)
        of_month = await application.periods.of_month(repaired, period, application.clock.now(), "/period")
        reports = []
        async for report in application.repair.run(repaired, of_month, mend=mend):
            _show(report)
            reports.append(report)
        wrong = sum(len(report.wrong) for report in reports)
        unsteady = sum(len(report.unsteady) for report in reports)
        events, totals = sum(report.events for report in reports), sum(report.totals for report in reports)
        print(f"{events} events, {totals} totals, {wrong} wrong{', mended' if mend and wrong else ''}")
        if mend and wrong:
            target = Target("organization", organization_id)
            await note(application, "totals.repair", target, trail=organization_id, period=period, totals=wrong)
        if unsteady:
            end(ExitCode.DIFFERENT, f"{unsteady} totals moved whenever they were looked at; try again")
        if wrong and not mend:
            end(ExitCode.DIFFERENT, "With --mend they are put right")

    run(act)


def _show(report: ShardReport) -> None:
    for total in report.wrong:
        for each in total.differences:
            kept = "nothing" if each.stored is None else each.stored
            recomputed = "nothing" if each.recomputed is None else each.recomputed
            print(
                f"shard {report.shard}, agent {total.key.agent_id}, version {total.key.version_id}, {each.gauge}: "
                f"kept {kept}; recomputed {recomputed}"
            )
    for key in report.unsteady:
        print(f"shard {report.shard}, agent {key.agent_id}, version {key.version_id}: moves all the time")
