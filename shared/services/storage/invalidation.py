"""What a service changes, for those of this process that keep what they read of it."""

from collections.abc import Callable


class Changes:
    def __init__(self) -> None:
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """It is called after each change."""
        self._listeners.append(listener)

    def announce(self) -> None:
        for listener in self._listeners:
            listener()
