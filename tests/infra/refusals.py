"""What a check of snapshots must refuse, by name."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tools.infra.snapshots import Edit, Snapshot, snapshot

Check = Callable[[Snapshot], None]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An edit of a snapshot, and the check that must notice it."""

    check: Check
    edit: Edit
    shape: str = "default"

    def is_shown(self) -> None:
        self.check(snapshot(self.shape))
        edited = snapshot(self.shape, self.edit)
        with pytest.raises((AssertionError, KeyError)):
            self.check(edited)
