"""Segments of agents: which version of which billing model was in force, and when."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from fractions import Fraction

from shared.domain.kernel.histories import History
from shared.domain.periods.periods import Period, Span
from shared.domain.pricing.billing_models import Version
from shared.domain.pricing.places import Places, Terms
from shared.domain.pricing.plan_versions import has_usage
from shared.domain.pricing.usage_terms import UsageTerms
from shared.domain.rating.facts import Cycle, Facts, InconsistentFactsError, MeterReadings, Segment
from shared.domain.tenancy.agents import Agent, times_on_plans
from shared.domain.usage.events import POOLED


def segments(
    span: Span, agents: Iterable[tuple[str, History[str | None]]], models: Mapping[str, History[Version]]
) -> list[Segment]:
    """All segments of the agents in a span, with or without usage.

    `agents` are agent ids with the history of their model, `models` the history of versions by model id. Raises
    `InconsistentFactsError` for a model that is missing.
    """
    result = []
    for agent_id, assignments in agents:
        for assignment in assignments.within(span.start, span.end):
            model_id = assignment.value
            if model_id is None:
                continue
            if model_id not in models:
                raise InconsistentFactsError(f"The model {model_id} of agent {agent_id} is missing")
            versions = models[model_id].within(assignment.start, assignment.end or span.end)
            result += [Segment(agent_id, version.value, version.start, version.end or span.end) for version in versions]
    return result


def segments_of_places(
    span: Span, places: Places, versions: Mapping[str, Version], organization_ends: datetime | None
) -> list[Segment]:
    """The segments of subscriptions in a span, up to the organization's end.

    They have no agent, and count as none: their fees are the organization's. `versions` price the plans, by their id. A
    trial has days, and no charges.
    """
    return [
        segment
        for place in sorted(places.fees)
        for segment in segments_of_place(place, span, places, versions, organization_ends)
    ]


def segments_of_place(
    place: str, span: Span, places: Places, versions: Mapping[str, Version], organization_ends: datetime | None
) -> list[Segment]:
    """Those of the subscriptions at one place."""
    end = span.end if organization_ends is None else min(span.end, organization_ends)
    return [
        Segment(
            POOLED,
            _version(interval.value, versions),
            interval.start,
            interval.end or end,
            agents=Fraction(0),
            place=place,
            quantity=interval.value.quantity,
        )
        for interval in places.in_force(place, span.start, end)
    ]


def segments_of_plan_usage(
    span: Span,
    terms: Mapping[str, History[UsageTerms]],
    versions: Mapping[str, Version],
    agents: Iterable[tuple[str, History[str | None]]],
) -> list[Segment]:
    """The segments of agents without a billing model of their own, which the plans at places price.

    `terms` are those of each place, `agents` are agent ids with the history of their model. They have no days: those
    are the plan's. What is used in trials is free and has none.
    """
    result = []
    without_model = [(agent_id, time) for agent_id, models in agents for time in _without_model(models, span)]
    for place, history in sorted(terms.items()):
        for interval in history.within(span.start, span.end):
            version = versions.get(interval.value.charges_id or "")
            if version is None or interval.value.is_free or not has_usage(version):
                continue
            for agent_id, time in without_model:
                start, end = max(interval.start, time.start), min(interval.end or span.end, time.end)
                if start < end:
                    result.append(Segment(agent_id, version, start, end, place=place, has_days=False))
    return result


def segments_of_plan_agents(
    span: Span, places: Places, versions: Mapping[str, Version], agents: Iterable[Agent]
) -> list[Segment]:
    """The segments of agents without a billing model of their own, with the days on which plans at places are paid.

    For charges that are due for each agent. In a trial there are none.
    """
    result = []
    in_force = [(place, each) for place in sorted(places.fees) for each in places.in_force(place, span.start, span.end)]
    for place, interval in in_force:
        version = versions[interval.value.charges_id]
        if interval.value.status != "active" or not any(charge.is_due_for_each_agent for charge in version.charges):
            continue
        for agent in agents:
            for since, until in times_on_plans(agent):
                start, end = max(interval.start, since), min(interval.end or span.end, until or span.end)
                if start < end:
                    result.append(Segment(agent.id, version, start, end, place=place))
    return result


def _without_model(models: History[str | None], span: Span) -> Iterator[Span]:
    """The times in a span in which an agent has no billing model of its own, also before its first one."""
    first = models.entries[0].effective_from
    if span.start < first:
        yield Span(start=span.start, end=min(first, span.end))
    for assignment in models.within(span.start, span.end):
        if assignment.value is None:
            yield Span(start=assignment.start, end=assignment.end or span.end)


def _version(terms: Terms, versions: Mapping[str, Version]) -> Version:
    version = versions[terms.charges_id]
    return version if terms.status == "active" else version.model_copy(update={"charges": (), "commitments": ()})


def cut_at_ends(
    uncut: Sequence[Segment], agent_ends: Mapping[str, datetime | None], organization_ends: datetime | None
) -> list[Segment]:
    """The segments up to their agent's end and the organization's: nothing becomes due after that."""
    cut: list[Segment] = []
    for segment in uncut:
        ends = (segment.end, agent_ends[segment.agent_id], organization_ends)
        end = min(end for end in ends if end is not None)
        if segment.start < end:
            cut.append(segment if end == segment.end else replace(segment, end=end))
    return cut


def first_starts(all_segments: Iterable[Segment]) -> dict[tuple[str, str], datetime]:
    """When each model was first used, by model id and agent id.

    `POOLED` in place of the agent id is for any agent. `all_segments` are those since the beginning, not of one period
    only.
    """
    starts: dict[tuple[str, str], datetime] = {}
    for segment in all_segments:
        for agent_id in (segment.agent_id, POOLED):
            key = (segment.version.model_id, agent_id)
            starts[key] = min(segment.start, starts.get(key, segment.start))
    return starts


def isolated_facts(
    period: Period, currency: str, all_segments: Sequence[Segment], totals: Mapping[tuple[str, str], MeterReadings]
) -> Facts:
    """The facts of a period as if there were no other period.

    It is the first period of its models, and a whole quarter and year.
    """
    cycle = Cycle(period, all_segments, closes=period.end)
    return Facts(
        period=period,
        currency=currency,
        segments=all_segments,
        totals=totals,
        first_starts=first_starts(all_segments),
        cycles={"quarter": cycle, "year": cycle},
    )
