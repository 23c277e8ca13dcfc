"""Subscriptions over HTTP to which the same happens on hosts that are left alone and on hosts that are killed.

Whoever plays first decides by chance what happens, and tells it to whoever plays next. Nothing happens in the first
days of a month: what begins then would be on the month's invoice or on one of its own, by which timer comes first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Protocol

from tests.doubles.clients.xyra_client import Answer, Organization, Xyra
from tests.doubles.worlds.plans import fee, plan, seats

Json = dict[str, Any]

TIMEZONES = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Auckland")
CURRENCIES = ("USD", "JPY", "KWD")
FIRST_MONTH = datetime(2031, 1, 1, 9, tzinfo=UTC)
"""At nine no local day of these timezones begins, before or after that hour."""
OK = 300
BASE = ("Small", "Large", "Annual", "Quarterly", "Tried")
ADDON = "Extra"


@dataclass(frozen=True)
class Command:
    """A request about the subscription at a place: to `subscribe`, `change` and so on."""

    place: str
    name: str
    body: Json


@dataclass(frozen=True)
class Told:
    """What happens at a moment, by the organization's number: at most one command, so that none comes first."""

    moment: datetime
    commands: Mapping[int, Command]
    units: Mapping[int, int]
    """Of an event of each."""


class Sending(Protocol):
    async def __call__(
        self, number: int, method: str, path: str, body: Any = None, *, key: str | None = None
    ) -> Answer: ...


async def offered(xyra: Xyra) -> dict[tuple[str, str], str]:
    """The keys of plans by name and currency."""
    keys: dict[tuple[str, str], str] = {}
    for currency in CURRENCIES:
        calls = {
            "key": "calls",
            "type": "activity",
            "scope": "organization",
            "meter": {"event_type": "call", "aggregation": "sum", "value": "data.quantity"},
            "pricing": {"type": "per_unit", "unit_amount": "3"},
            "included_units": "20",
        }
        of_year, of_quarter = fee("1201", interval="year"), fee("301", interval="quarter")
        plans: dict[str, tuple[list[Json], Json]] = {
            "Small": ([fee("31"), calls], {}),
            "Large": ([fee("97"), seats("13"), calls], {}),
            "Annual": ([of_year, seats("5")], {"interval": "year"}),
            "Quarterly": ([of_quarter], {"interval": "quarter", "anchor": "calendar"}),
            "Tried": ([fee("293"), calls], {"trial": {"days": 3}}),
            ADDON: ([fee("19"), {"key": "setup", "type": "setup_fee", "amount": "3"}], {"kind": "addon"}),
        }
        for name, (charges, fields) in plans.items():
            made = await plan(xyra, *charges, name=name, currency=currency, **fields)
            keys[name, currency] = made["key"]
    return keys


@dataclass
class Players:
    """Organizations, each with its subscriptions by place."""

    organizations: list[Organization] = field(default_factory=list)
    plans: dict[tuple[str, str], str] = field(default_factory=dict)
    subscriptions: list[dict[str, str]] = field(default_factory=list)

    async def set_up(self, xyra: Xyra, number: int) -> None:
        self.plans = await offered(xyra)
        for index in range(number):
            zone, currency = TIMEZONES[index % len(TIMEZONES)], CURRENCIES[index % len(CURRENCIES)]
            made = await xyra.organization(timezone=zone, currency=currency, grace_hours=24, due_days=60)
            await made.agent()
            self.organizations.append(made)
            self.subscriptions.append({})

    async def perform(self, number: int, command: Command, step: int, send: Sending) -> Answer:
        """Repeated by its key it is one command."""
        body, key = dict(command.body), f"{step}"
        if "plan" in body:
            body["plan"] = self.plans[body["plan"], CURRENCIES[number % len(CURRENCIES)]]
        if command.name == "subscribe":
            body["organization_id"] = self.organizations[number].id
            answer = await send(number, "POST", "subscriptions", body, key=key)
            if answer.status < OK:
                self.subscriptions[number][command.place] = answer.json()["id"]
            return answer
        path = f"subscriptions/{self.subscriptions[number][command.place]}/{command.name}"
        return await send(number, "POST", path, body or None, key=key)

    async def use(self, number: int, told: Told, step: int, send: Sending) -> None:
        time = told.moment.isoformat()
        event = {"id": f"{step}", "type": "call", "agent": "coder", "time": time}
        (await send(number, "POST", "events", [event | {"data": {"quantity": told.units[number]}}])).expect(202)

    async def documents(self, xyra: Xyra) -> list[list[Json]]:
        """Of each organization, in the order of their numbers, without what differs from host to host."""
        return [await _documents(xyra.again(organization)) for organization in self.organizations]


async def _documents(organization: Organization) -> list[Json]:
    documents = [
        {
            "number": (document["number"] or "").replace(organization.slug.upper(), ""),
            "kind": document.get("kind", "credit_note"),
            "total": document["total"],
            "period": invoice["period"],
            "lines": sorted(map(_line, document["lines"])),
        }
        for invoice in await organization.invoices()
        for document in (invoice, *invoice["credit_notes"])
    ]
    return sorted(documents, key=lambda document: str(document["number"]))


def _line(line: Json) -> tuple[str, ...]:
    names = ("model_name", "charge", "type", "quantity", "amount")
    return line["period"]["start"], *(str(line[name]) for name in names)


def moments(months: int, chance: Random) -> list[datetime]:
    """Two in each month, from its 5th to its 20th day."""
    found = []
    for month in range(months):
        first = FIRST_MONTH.replace(year=FIRST_MONTH.year + month // 12, month=month % 12 + 1)
        found += [first + timedelta(days=day) for day in sorted(chance.sample(range(4, 20), 2))]
    return found


def close_of(moment: datetime) -> datetime:
    """When the month of a moment is invoiced: after its grace time, in every timezone."""
    return (moment.replace(day=1) + timedelta(days=32)).replace(day=3)


def command_by_chance(chance: Random, subscriptions: Mapping[str, Json], moment: datetime) -> Command:
    """One that is possible for an organization with these subscriptions, by place; mostly."""
    place = chance.choice(("base", "base", "addon"))
    subscription = subscriptions.get(place)
    if subscription is None or subscription["status"] == "canceled":
        name = chance.choice(BASE) if place == "base" else ADDON
        body: Json = {"plan": name} | ({} if place == "base" else {"quantity": chance.choice((1, 3))})
        return Command(place, "subscribe", body)
    if subscription["status"] == "paused":
        return Command(place, "resume", {})
    dated = (moment + timedelta(days=chance.randrange(1, 5))).replace(hour=15).isoformat()
    at = chance.choice(("now", "now", "period_end", dated))
    more: Json = {"plan": chance.choice(BASE)} if place == "base" else {"quantity": chance.randrange(1, 5)}
    return Command(
        place,
        *chance.choice(
            (
                ("change", {**more, "at": at}),
                ("change", {**more, "at": at}),
                ("change", {"seats": chance.randrange(9), "at": at}),
                ("cancel", {"at": at}),
                ("withdraw", {}),
                ("pause", {"at": "now", "until": dated}),
            )
        ),
    )
