"""How long an acknowledged event takes to its total while the host is under load."""

from dataclasses import dataclass

from bench.load import Load

EVENTS_PER_REQUEST = 100
CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class Visibility:
    maximum: float
    """Events per second that the host accepts and meters."""
    load: float
    """Events per second beside which the time was taken."""
    p50: float
    """Seconds."""
    p99: float

    @classmethod
    async def at_half_of_maximum(cls, load: Load, *, seconds: float, probes: int) -> "Visibility":
        """The maximum is taken from what was sent in so many seconds."""
        maximum = (await load.sustained(EVENTS_PER_REQUEST, CONNECTIONS, seconds)).per_second
        p50, p99 = await load.latencies(probes, size=EVENTS_PER_REQUEST, per_second=maximum / 2)
        return cls(maximum, maximum / 2, p50, p99)
