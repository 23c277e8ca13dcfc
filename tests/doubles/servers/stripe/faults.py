"""What goes wrong on demand: rules that the next matching requests meet."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "before",  # the connection breaks, nothing has happened
    "after",  # the connection breaks, all has happened
    "late",  # the connection breaks, and the request is executed when a test lets it land
    "slow",  # all as it should be, after `seconds`
    "429",
    "409",
    "401",
    "403",
    "500",  # nothing has happened; the answer is saved under the key
    "500 after",  # all has happened; the answer is saved under the key
    "unreadable",  # all has happened, and half of the answer comes
]


@dataclass
class FaultRule:
    operation: str
    """As it is described, such as `post /v1/refunds`; `*` for all."""
    kind: Kind
    skip: int = 0
    """So many matching requests before it are served."""
    times: int = 1
    seconds: float = 0.0


@dataclass
class Faults:
    rules: list[FaultRule] = field(default_factory=list)

    def take(self, operation: str) -> FaultRule | None:
        """The rule that this request meets, if any; the first one that is due."""
        due: FaultRule | None = None
        for rule in self.rules:
            if rule.operation not in {"*", operation} or rule.times == 0:
                continue
            if rule.skip:
                rule.skip -= 1
            elif due is None:
                rule.times -= 1
                due = rule
        return due
