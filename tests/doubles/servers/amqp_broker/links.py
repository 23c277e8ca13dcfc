"""Attaching and refusing links, and reading what Proton gives."""

from collections.abc import Callable
from typing import Any

from proton import Condition, Data, Event, Handler, Link, Terminus, symbol

from tests.doubles.servers.amqp_broker import wire


def attach(link: Link) -> None:
    link.source.copy(link.remote_source)
    link.target.copy(link.remote_target)
    agree_on_settlement(link)
    link.open()


def attach_to_session(link: Link, session_id: str, locked_until: float) -> None:
    """Tell the receiver which session it has, and until when."""
    link.source.address = link.remote_source.address
    link.source.filter.put_dict({symbol(wire.SESSION_FILTER): session_id})
    link.target.copy(link.remote_target)
    link.properties = {symbol(wire.LOCKED_UNTIL): wire.ticks(locked_until)}
    agree_on_settlement(link)
    link.open()


def agree_on_settlement(link: Link) -> None:
    link.snd_settle_mode, link.rcv_settle_mode = link.remote_snd_settle_mode, link.remote_rcv_settle_mode


def refuse(link: Link, condition: str, description: str) -> None:
    """Refuse a link, as AMQP does.

    It is attached without a terminus, and closed with the reason.
    """
    link.source.type = Terminus.UNSPECIFIED
    link.target.type = Terminus.UNSPECIFIED
    link.open()
    link.condition = Condition(condition, description)
    link.close()


def condition(name: str, description: str) -> Condition:
    """The reason of a rejected delivery. The SDK cannot read one without a tracking id."""
    return Condition(name, description, {symbol("tracking-id"): "1"})


def mapping(properties: Any) -> dict[str, Any]:
    """What Proton gives as a dictionary, as its own `Data`, or as nothing."""
    if isinstance(properties, Data):
        properties.rewind()
        properties = properties.get_dict() if properties.next() else None
    return {str(key): value for key, value in (properties or {}).items()}


class Later(Handler):
    """A function that the container's schedule calls."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self._act = act

    def on_timer_task(self, event: Event) -> None:  # noqa: ARG002  the signature is Proton's
        self._act()
