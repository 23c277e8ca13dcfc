"""A monotonic clock in seconds that stands still until a test moves it."""

from dataclasses import dataclass


@dataclass
class SettableSeconds:
    value: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.value

    def advance(self, seconds: float) -> None:
        self.value += seconds
