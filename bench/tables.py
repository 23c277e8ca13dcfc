"""What was measured, for a terminal."""

from rich.table import Table

from bench.azure import OUTAGE_SECONDS, CatchUp, Metering
from bench.embedded import BACKLOG, Accepting, Metered
from bench.visibility import EVENTS_PER_REQUEST, Visibility

WIDTH = 120
"""Where there is no terminal to ask."""

AIM_REQUESTS = 12
AIM_UNITS = 7000
"""At most, for 1,000 events."""


def of_accepting(accepted: Accepting) -> Table:
    table = _table("Events accepted per second (metering switched off)", "events per request", "connections")
    for column in ("Xyra", "floor", "ratio", "requests/s"):
        table.add_column(column, justify="right")
    for row in accepted.rows:
        table.add_row(
            f"{row.events_per_request:,}",
            str(row.connections),
            f"{row.per_second:,.0f}",
            f"{row.floor:,.0f}",
            f"{row.per_second / row.floor:.3f}",
            f"{row.per_second / row.events_per_request:,.0f}",
        )
    return table


def of_metering(metered: Metered, accepted: Accepting) -> Table:
    table = _table("Metering and visibility", "what", "Xyra", "floor", "ratio")
    table.add_row(
        f"events metered/s ({BACKLOG:,} waiting)",
        f"{metered.per_second:,.0f}",
        f"{metered.floor:,.0f}",
        f"{metered.per_second / metered.floor:.3f}",
    )
    table.add_row("acknowledged to visible on an idle host, p50", _milliseconds(metered.idle_p50))
    table.add_row("acknowledged to visible on an idle host, p99", _milliseconds(metered.idle_p99))
    _add_visibility(table, metered.loaded)
    table.add_row("peak memory accepting", f"{accepted.memory_mb:.0f} MB")
    table.add_row("peak memory metering", f"{metered.memory_mb:.0f} MB")
    return table


def of_store_requests(metered: list[Metering]) -> Table:
    table = _table(
        "On Azure's services (protocol doubles): for 1,000 events metered",
        "container and call",
        *_requests_and_units(metered),
    )
    calls = sorted({call for each in metered for call in each.costs})
    for call in calls:
        table.add_row(
            " ".join(call),
            *(
                cell
                for each in metered
                for cell in (
                    f"{each.per_thousand(each.costs[call].requests):.2f}",
                    f"{each.per_thousand(each.costs[call].units):,.0f}",
                )
            ),
        )
    table.add_section()
    table.add_row(
        f"all (aim: {AIM_REQUESTS} and {AIM_UNITS:,})",
        *(
            cell
            for each in metered
            for cell in (
                f"{each.per_thousand(each.total.requests):.2f}",
                f"{each.per_thousand(each.total.units):,.0f}",
            )
        ),
    )
    return table


def of_azure(metered: list[Metering], catch_up: CatchUp, visibility: Visibility, memory_mb: float) -> Table:
    table = _table("On Azure's services (protocol doubles): speed", "what", "Xyra", "ratio")
    for each in metered:
        table.add_row(f"events metered/s: {each.shape}", f"{each.per_second:,.0f}")
        table.add_row("  bytes stored per event, its totals included", f"{each.bytes / each.events:,.0f}")
    table.add_row("events metered/s before an outage of the store", f"{catch_up.before:,.0f}")
    table.add_row(
        f"events metered/s after {OUTAGE_SECONDS:.0f} s of it, from its end on",
        f"{catch_up.after:,.0f}",
        f"{catch_up.after / catch_up.before:.2f}",
    )
    table.add_row("  seconds until the first", f"{catch_up.pause:.1f}")
    table.add_row("  and from then on", f"{catch_up.after_pause:,.0f}", f"{catch_up.after_pause / catch_up.before:.2f}")
    _add_visibility(table, visibility)
    table.add_row("peak memory metering what waited", f"{max(each.memory_mb for each in metered):.0f} MB")
    table.add_row("peak memory accepting and metering", f"{memory_mb:.0f} MB")
    return table


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title)
    table.add_column(first)
    for column in others:
        table.add_column(column, justify="right")
    return table


def _requests_and_units(metered: list[Metering]) -> list[str]:
    return [f"{what}\n{each.shape.brief}" for each in metered for what in ("requests", "RU")]


def _add_visibility(table: Table, visibility: Visibility) -> None:
    table.add_row(
        f"events/s accepted and metered at most ({EVENTS_PER_REQUEST} a request)", f"{visibility.maximum:,.0f}"
    )
    beside = f"acknowledged to visible beside {visibility.load:,.0f} events/s"
    table.add_row(f"{beside}, p50", _milliseconds(visibility.p50))
    table.add_row(f"{beside}, p99", _milliseconds(visibility.p99))


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
