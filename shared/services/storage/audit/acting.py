"""Who is acting now: set where a request is authenticated, read where a change is stored."""

from contextvars import ContextVar

from shared.domain.kernel.audit import SYSTEM, Actor

_current: ContextVar[Actor] = ContextVar("actor", default=SYSTEM)


def current_actor() -> Actor:
    """The caller of the request; the system where work was started by a timer or a queue."""
    return _current.get()


def becomes(actor: Actor) -> None:
    """From now on, until the end of what `acting` encloses, this actor is known."""
    _current.set(actor)


class acting:  # noqa: N801  read as the functions of contextlib are
    """What is stored in the block was done by this actor, or by whom `becomes` names since."""

    __slots__ = ("_actor", "_token")

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    def __enter__(self) -> None:
        self._token = _current.set(self._actor)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
