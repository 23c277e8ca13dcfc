"""Random histories of one organization: what its people and systems did, and when.

What goes wrong underneath (faults, crashes, repeats, what runs at the same time) is no part of a history.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from tests.doubles.worlds.billing_steps import (
    ChangeOrganization,
    CreateAgent,
    CreateModel,
    Decide,
    Decision,
    DeleteAgent,
    DeleteOrganization,
    History,
    MoveAgent,
    PublishVersion,
    Report,
    RunInvoices,
    Sent,
    Step,
    Wait,
)
from tests.doubles.worlds.random_charges import RandomCharges
from tests.doubles.worlds.schedules import LEAD, Schedule

TIMEZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo", "UTC")
LATE = timedelta(days=60)
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
_AGENTS = ("a", "b", "c")
_MODELS = ("m", "n")
_CURRENCIES = ("USD", "JPY", "KWD")


_DATA: Mapping[str, Callable[[Random], dict[str, Any]]] = {
    "command": lambda random: {
        "quantity": random.choice((0, 1, 3, Decimal("7.25"), 12)),
        "user": random.choice("uvwxyz"),
    },
    "llm_call": lambda random: {"output_tokens": random.randint(0, 9000)},
    "sale": lambda random: {
        "amount": random.choice((0, 5, Decimal("19.99"), 80, 300)),
        "price": random.choice((0, 1, Decimal("2.5"))),
        "change": random.choice((-2, 1, 4)),
    },
    "outcome.won": lambda random: {"value": random.choice((0, 5, 40))},
    "outcome.asked": lambda random: {
        "value": random.choice((0, 5, Decimal("12.5"), 40)),
        "interaction_time": random.choice((None, None, None, "2020-02-02T00:00:00Z")),
    },
    "cost.llm": lambda random: {"amount": random.choice((0, Decimal("0.0375"), 3))},
    "workflow.lead": lambda random: {"quantity": random.randint(0, 4)},
    "workflow.mail": lambda _: {},
}
"""The data of an event, by its type."""


def random_history(seed: int) -> History:
    return _Writer(seed).history()


def prepaid_history(seed: int) -> History:
    """The same, but that the organization pays with credits, from the beginning or for a while."""
    history, random = random_history(seed), Random(f"prepaid {seed}")
    steps = list(history.steps)
    for _ in range(random.choice((0, 0, 1, 2))):
        index = random.randrange(1, len(steps))
        steps.insert(index, ChangeOrganization(steps[index].at, _settlement(random, random.choice(_MODES))))
    steps = [_settling(seed, step) for step in steps]
    mode = random.choice(("prepaid", "prepaid", "prepaid", "postpaid"))
    steps.insert(0, ChangeOrganization(steps[0].at, _settlement(random, mode)))
    return replace(history, steps=tuple(steps))


def _settling(seed: int, step: Step) -> Step:
    """The step with some charges of its model paid by the other side: by key, as that is fixed over the versions."""
    if not isinstance(step, CreateModel | PublishVersion):
        return step
    charges = []
    for charge in step.draft.charges:
        side = charge.settles
        if Random(f"{seed} {step.model} {charge.key}").random() < _OTHER_SIDE:
            side = "wallet" if side == "invoice" else "invoice"
        charges.append(charge.model_copy(update={"settles": side}))
    return replace(step, draft=step.draft.model_copy(update={"charges": tuple(charges)}))


_OTHER_SIDE = 0.3
_MODES = ("postpaid", "prepaid", "prepaid")


def _settlement(random: Random, mode: str) -> dict[str, Any]:
    return {"billing_mode": mode, "credit_value": random.choice((Decimal("0.01"), Decimal("0.013"), Decimal(2)))}


class _Writer:
    """Remembers enough of the history to write only steps that the API would take."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._random = Random(seed)
        # Somewhere around the changes of the clocks in spring and autumn.
        self._now = datetime(2026, self._random.choice((1, 2, 3, 8, 9)), self._random.randint(1, 28), 9, 30, tzinfo=UTC)
        self._currency = self._random.choice(_CURRENCIES)
        self._charges = RandomCharges(self._random, seed)
        self._models: dict[str, datetime] = {}
        """When the last version of each billing model takes effect."""
        self._agents: dict[str, Schedule[str | None]] = {}
        """The model of each agent."""
        self._deleted: dict[str, datetime] = {}
        self._sent: list[Sent] = []
        self._verified: list[Sent] = []
        self._shards = 1
        self._seats = Schedule(_BEGINNING, self._random.choice((0, 3)))
        self._first_seats = self._seats.fixed(self._now)[1]

    def history(self) -> History:
        random = self._random
        timezone = random.choice(TIMEZONES)
        steps: list[Step] = [self._create_model(), self._create_agent()]
        for _ in range(random.randint(12, 24)):
            self._pass_time()
            step = self._step()
            if step is not None:
                steps.append(step)
        if random.random() < 0.15:
            self._pass_time()
            steps.append(DeleteOrganization(self._now))
        grace = random.choice((0, 0, 6, 24, 72))
        return History(self._seed, self._currency, timezone, grace, self._first_seats, tuple(steps))

    def _pass_time(self) -> None:
        random = self._random
        self._now += random.choice(
            (
                timedelta(seconds=random.randint(1, 90)),
                timedelta(seconds=random.randint(1, 90)),
                timedelta(minutes=random.randint(2, 30)),
                timedelta(hours=random.randint(1, 30)),
                timedelta(days=random.randint(1, 9)),
                timedelta(days=random.randint(4, 33)),
            )
        )

    def _step(self) -> Step | None:
        kinds = {
            self._report: 9,
            self._run_invoices: 6,
            self._publish: 2,
            self._move_agent: 3,
            self._create_agent_if_room: 2,
            self._create_model_if_room: 1,
            self._delete_agent: 1,
            self._change_timezone: 1,
            self._grow: 1,
            self._change_seats: 2,
            self._decide: 7,
            self._wait: 1,
        }
        (chosen,) = self._random.choices(list(kinds), weights=list(kinds.values()))
        step: Step | None = chosen()
        return step

    def _wait(self) -> Step:
        return Wait(self._now)

    # Prices

    def _create_model_if_room(self) -> Step | None:
        return self._create_model() if len(self._models) < len(_MODELS) else None

    def _create_model(self) -> Step:
        name = _MODELS[len(self._models)]
        start = self._now - timedelta(days=self._random.randint(0, 150))
        draft = self._charges.draft(self._currency, start)
        self._models[name] = start
        return CreateModel(self._now, name, draft)

    def _publish(self) -> Step:
        name = self._random.choice(list(self._models))
        start = self._ahead(self._models[name])
        self._models[name] = start
        return PublishVersion(self._now, name, self._charges.draft(self._currency, start))

    def _ahead(self, last: datetime) -> datetime:
        """A time at which a change may take effect: as soon as possible, later, or a microsecond after the last one."""
        earliest = max(self._now + LEAD, last + timedelta(microseconds=1))
        return earliest + self._random.choice(
            (timedelta(0), timedelta(minutes=self._random.randint(1, 90)), timedelta(days=self._random.randint(1, 20)))
        )

    # Agents

    def _create_agent_if_room(self) -> Step | None:
        return self._create_agent() if len(self._agents) < len(_AGENTS) else None

    def _create_agent(self) -> Step:
        name = _AGENTS[len(self._agents)]
        model = self._random.choice((*self._models, None)) if self._agents else "m"
        since = None
        if model is not None and self._random.random() < 0.5:
            since = self._now - timedelta(minutes=self._random.randint(0, 120 * 24 * 60))
        start = _BEGINNING if model is None else since or self._now
        self._agents[name] = Schedule[str | None](start, model)
        return CreateAgent(self._now, name, model, since)

    def _living(self) -> list[str]:
        return [name for name in self._agents if name not in self._deleted]

    def _move_agent(self) -> Step | None:
        living = self._living()
        if not living:
            return None
        name = self._random.choice(living)
        model = self._random.choice((*self._models, None, None))
        start, present = self._agents[name].fixed(self._now)
        since = None if model == present else self._ahead(start)
        self._agents[name].decide(self._now, model, since)
        return MoveAgent(self._now, name, model, since)

    def _delete_agent(self) -> Step | None:
        living = self._living()
        if not living:
            return None
        name = self._random.choice(living)
        self._deleted[name] = max(self._now + LEAD, self._agents[name].last_start)
        return DeleteAgent(self._now, name)

    # The organization

    def _change_timezone(self) -> Step:
        return ChangeOrganization(self._now, {"timezone": self._random.choice(TIMEZONES)})

    def _grow(self) -> Step | None:
        if self._shards == 16:
            return None
        self._shards *= 4
        return ChangeOrganization(self._now, {"shard_count": self._shards})

    def _change_seats(self) -> Step:
        start, present = self._seats.fixed(self._now)
        number = self._random.choice((present, self._random.randint(0, 12)))
        since = None if number == present else self._ahead(start)
        self._seats.decide(self._now, number, since)
        return ChangeOrganization(self._now, {"seats": number, "seats_from": since})

    # Usage

    def _report(self) -> Step | None:
        random = self._random
        if all(self._deleted.get(name, self._now) < self._now for name in self._agents):
            return None
        events = [self._event() for _ in range(random.randint(1, 9))]
        repeated = random.sample(self._sent, min(len(self._sent), random.choice((0, 0, 3, 8))))
        events += [self._again(event) for event in repeated]
        self._sent += events
        requests = [tuple(events)]
        if random.random() < 0.4:  # the same again, in another order, cut differently
            shuffled = random.sample(events, len(events))
            cut = random.randint(0, len(events))
            requests += [tuple(part) for part in (shuffled[:cut], shuffled[cut:]) if part]
        return Report(self._now, tuple(requests))

    def _event(self) -> Sent:
        random = self._random
        agent = random.choice([name for name in self._agents if self._deleted.get(name, self._now) >= self._now])
        ended = self._deleted.get(agent)
        latest = self._now + timedelta(minutes=5)
        if ended is not None:
            latest = min(latest, ended - timedelta(microseconds=1))
        time = latest - random.choice(
            (
                timedelta(0),
                timedelta(minutes=random.randint(0, 20)),
                timedelta(hours=random.randint(0, 40)),
                timedelta(minutes=random.randint(0, (LATE - timedelta(days=1)) // timedelta(minutes=1))),
            )
        )
        event_id = f"{self._seed}-{len(self._sent)}-{random.randint(0, 10**6)}"
        event_type = random.choices(tuple(_DATA), weights=(5, 3, 3, 2, 5, 1, 1, 1))[0]
        return Sent(event_id, event_type, agent, time, _DATA[event_type](random))

    def _again(self, event: Sent) -> Sent:
        """The event once more: mostly as it was, sometimes with another time or, by mistake, other content."""
        random = self._random
        kind = random.random()
        if kind < 0.6 or event.agent in self._deleted:
            return event
        if kind < 0.85:
            return replace(event, time=event.time - timedelta(hours=random.randint(1, 200)))
        return replace(event, data={**event.data, "note": "another"})

    # Outcomes

    def _decide(self) -> Step | None:
        random = self._random
        reported = [sent for sent in self._sent if sent.type.startswith("outcome.")]
        if not reported:
            return None
        decision: Decision = random.choices(("verify", "reject", "reverse"), weights=(5, 1, 3))[0]
        if decision == "reverse" and self._verified:
            reported = self._verified
        chosen = tuple(random.sample(reported, min(len(reported), random.randint(1, 8))))
        if decision == "verify":
            self._verified += chosen
        value = random.choice((None, None, Decimal("4.5"))) if decision == "verify" else None
        return Decide(self._now, decision, chosen, value, times=random.choice((1, 1, 2, 3)))

    # Documents

    def _run_invoices(self) -> Step:
        random = self._random
        month = None
        if random.random() < 0.4:
            ended = self._now - timedelta(days=random.choice((31, 31, 62)))
            month = f"{ended:%Y-%m}"
        return RunInvoices(self._now, month, finalize=random.random() < 0.7, times=random.choice((1, 1, 2, 3)))
