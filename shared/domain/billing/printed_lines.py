"""Lines of a document as they are printed: grouped by agent, with their arithmetic in small type."""

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from shared.domain.billing.printed_documents import PrintedGroup, PrintedLine
from shared.domain.billing.written_values import Writer
from shared.domain.kernel.money import round_half_up, total
from shared.domain.kernel.pauses import pause_if_over
from shared.domain.periods.periods import Period, Span
from shared.domain.pricing.lines import Line, Step

MAXIMUM_STEPS = 30
"""How many steps of one line are printed; the rest are counted."""
_INSTANT = timedelta(microseconds=1)


class LinePrinter:
    """Writes the lines of one document in its language."""

    def __init__(self, writer: Writer, period: Period, currency: str) -> None:
        """`period` is the document's: what lies in it is not said again on each line."""
        self._writer = writer
        self._period = period
        self._currency = currency

    def groups(self, lines: Sequence[Line]) -> tuple[PrintedGroup, ...]:
        """Those of no agent first, then agent by agent in the order of their names; inside as they are stored."""
        by_agent: dict[str | None, list[Line]] = {}
        for line in lines:
            by_agent.setdefault(line.agent_id, []).append(line)
        if not any(by_agent):
            return tuple(PrintedGroup(tuple(self.line(line) for line in lines)) for lines in by_agent.values())
        ordered = sorted(by_agent.items(), key=lambda group: (group[0] is not None, _name(group[1]).casefold()))
        return tuple(self._group(agent_id, lines) for agent_id, lines in ordered)

    def _group(self, agent_id: str | None, lines: Sequence[Line]) -> PrintedGroup:
        title = self._writer.word("no_agent") if agent_id is None else _name(lines)
        subtotal = round_half_up(total(line.amount for line in lines), self._currency)
        shown = self._writer.amount(subtotal) if len(lines) > 1 else ""
        return PrintedGroup(tuple(self.line(line) for line in lines), title, shown)

    def line(self, line: Line) -> PrintedLine:
        pause_if_over()
        writer = self._writer
        tax = "" if line.treatment is None else writer.percent(line.treatment.percent)
        unit_price = "" if line.unit_amount is None else writer.number(line.unit_amount)
        return PrintedLine(
            description=line.description,
            amount=writer.amount(line.amount),
            notes=tuple(note for note in (self._span(line), self._arithmetic(line)) if note),
            quantity=writer.number(line.quantity) if line.type != "adjustment" else "",
            unit_price=unit_price,
            tax=tax,
        )

    def span(self, span: Span) -> str:
        """Its first and last local day."""
        zone = ZoneInfo(self._period.timezone)
        first, last = span.start.astimezone(zone).date(), (span.end - _INSTANT).astimezone(zone).date()
        return self._writer.days(first, last)

    def _span(self, line: Line) -> str:
        """The days that a line is for, where they are not those of the document."""
        span = line.covers or line.period
        return "" if span == self._period.span else self.span(span)

    def _arithmetic(self, line: Line) -> str:
        """Its steps; nothing where quantity and price say it already, or where there is only a difference."""
        steps = line.steps
        if not steps or (len(steps) == 1 and (line.unit_amount is not None or steps[0].kind == "adjustment")):
            return ""
        parts = [self._step(step, is_alone=len(steps) == 1) for step in steps[:MAXIMUM_STEPS]]
        if len(steps) > MAXIMUM_STEPS:
            parts.append(self._writer.word("more_steps", count=str(len(steps) - MAXIMUM_STEPS)))
        return "; ".join(part for part in parts if part)

    def _step(self, step: Step, *, is_alone: bool) -> str:
        writer = self._writer
        label = writer.word(f"step_{step.kind}")
        if step.workflow is not None:
            label = f"{step.workflow}, {label}"
        calculation = self._calculation(step)
        said = f"{label} {calculation}" if calculation else label
        return said if is_alone else f"{said} = {writer.number(step.amount)}"

    def _calculation(self, step: Step) -> str:
        """`1,000 × 0.01 + 5`, as far as the step has these."""
        writer = self._writer
        parts = []
        if step.kind == "tier" and step.lower is not None:
            bounds = f"{writer.number(step.lower)}–{writer.number(step.upper)}" if step.upper is not None else ""
            parts.append(f"{bounds or writer.word('above', lower=writer.number(step.lower))}:")
        if step.rate is not None:
            rate = writer.percent(step.rate)
            quantity = step.quantity
            parts.append(rate if quantity is None else writer.word("of", rate=rate, quantity=writer.number(quantity)))
        elif step.unit_amount is not None and step.quantity is not None:
            parts.append(f"{writer.number(step.quantity)} × {writer.number(step.unit_amount)}")
        if step.flat_amount:
            parts.append(f"+ {writer.number(step.flat_amount)}")
        return " ".join(parts)


def _name(lines: Sequence[Line]) -> str:
    """The agent's name as the lines have it; its id on lines from before they had names."""
    return next((line.agent_name for line in lines if line.agent_name), lines[0].agent_id or "")
