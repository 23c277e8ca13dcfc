"""`/_test/`: what a test in another process does to the double, and reads of it."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.doubles.servers.stripe.account import Mode
from tests.doubles.servers.stripe.customers import make_method, set_up
from tests.doubles.servers.stripe.double import StripeDouble
from tests.doubles.servers.stripe.faults import FaultRule
from tests.doubles.servers.stripe.intents import charge, settle
from tests.doubles.servers.stripe.refunds import close_dispute, end_refund, open_dispute
from tests.doubles.servers.stripe.refusals import Json
from tests.doubles.servers.stripe.sessions import pay_session, settle_session


async def steer(double: StripeDouble, command: str, arguments: Json) -> Any:
    mode = double.modes[arguments.pop("livemode", False)]
    if command in _OF_ALL:
        return await _OF_ALL[command](double, **arguments)
    return _OF_A_MODE[command](mode, **arguments)


def pay_intent(mode: Mode, intent: str, method: str) -> Json:
    """The customer pays an intent by its client secret, with a method that may be new."""
    found = mode.get("payment_intent", intent, "intent")
    chosen = mode.get("payment_method", method, "payment_method")
    charge(mode, found, chosen, off_session=False)
    return found


def _method(mode: Mode, kind: str, behaviour: str, customer: str | None = None) -> Json:
    made = make_method(mode, kind, behaviour)
    made["customer"] = customer
    return made


def _behave(mode: Mode, method: str, behaviour: str) -> Json:
    mode.behaviours[method] = behaviour
    return {}


def _pay_session(mode: Mode, session: str, method: str) -> Json:
    return pay_session(mode, session, mode.get("payment_method", method, "payment_method"))


def _set_up(mode: Mode, intent: str, method: str) -> Json:
    return set_up(mode, intent, mode.get("payment_method", method, "payment_method"))


def _settle(mode: Mode, intent: str, failure: str | None = None) -> Json:
    return settle(mode, intent, failure=failure)


def _settle_session(mode: Mode, session: str, failure: str | None = None) -> Json:
    return settle_session(mode, session, failure=failure)


def _close_dispute(mode: Mode, dispute: str, *, won: bool) -> Json:
    return close_dispute(mode, dispute, won=won)


def _objects(mode: Mode, kind: str) -> list[Json]:
    return mode.of(kind)


_OF_A_MODE: dict[str, Callable[..., Any]] = {
    "method": _method,
    "behave": _behave,
    "pay_intent": pay_intent,
    "pay_session": _pay_session,
    "set_up": _set_up,
    "settle": _settle,
    "settle_session": _settle_session,
    "end_refund": end_refund,
    "open_dispute": open_dispute,
    "close_dispute": _close_dispute,
    "objects": _objects,
}


async def _fault(double: StripeDouble, **rule: Any) -> Json:
    double.faults.rules.append(FaultRule(**rule))
    return {}


async def _no_faults(double: StripeDouble) -> Json:
    double.faults.rules.clear()
    return {}


async def _land(double: StripeDouble) -> list[int]:
    return [answer.status for answer in await double.land()]


async def _clock(double: StripeDouble, now: float) -> Json:
    double.set_now(now)
    return {}


async def _deliver(double: StripeDouble, events: list[str] | None = None) -> list[int]:
    """Events by their ids, in this order, or all that wait."""
    answers: list[int] = []
    for livemode, webhooks in double.webhooks.items():
        known = double.modes[livemode].objects["event"]
        chosen = list(webhooks.waiting) if events is None else [known[each] for each in events if each in known]
        answers += await webhooks.deliver(chosen, double.now())
    return answers


async def _requests(double: StripeDouble) -> list[tuple[str, str | None, int]]:
    return double.requests


async def _broken(double: StripeDouble) -> list[str]:
    return double.broken


_OF_ALL: dict[str, Callable[..., Awaitable[Any]]] = {
    "fault": _fault,
    "no_faults": _no_faults,
    "land": _land,
    "clock": _clock,
    "deliver": _deliver,
    "requests": _requests,
    "broken": _broken,
}
