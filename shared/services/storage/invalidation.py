"""In-process notification that invalidates caches."""

from collections.abc import Callable


class Changes:
    """Tells those in this process that cache something when a service changes it."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Have it called after each change."""
        self._listeners.append(listener)

    def announce(self) -> None:
        """Call all listeners."""
        for listener in self._listeners:
            listener()
