"""What can happen to a batch that is sent to the broker."""

from enum import Enum, auto


class Fault(Enum):
    DIES_BEFORE_STORING = auto()
    DIES_HALF_STORED = auto()
    DIES_AFTER_STORING = auto()
    DROPS_BEFORE_STORING = auto()
    """Closes the connection and lives on."""
    DROPS_AFTER_STORING = auto()
    DETACHES = auto()
    """Closes only the link; nothing is stored."""
    REFUSES = auto()
    IS_BUSY = auto()
    RELEASES = auto()
    ANSWERS_LATE = auto()
    """Stores at once and acknowledges after `late_seconds`."""
    NEVER_ANSWERS = auto()
    """Stores, and says nothing."""

    @property
    def kills(self) -> bool:
        return self in {Fault.DIES_BEFORE_STORING, Fault.DIES_HALF_STORED, Fault.DIES_AFTER_STORING}

    @property
    def drops_connection(self) -> bool:
        return self in {Fault.DROPS_BEFORE_STORING, Fault.DROPS_AFTER_STORING}

    @property
    def stores(self) -> bool:
        """True where at least a part of the batch is stored."""
        return self not in {
            Fault.DIES_BEFORE_STORING,
            Fault.DROPS_BEFORE_STORING,
            Fault.DETACHES,
            Fault.REFUSES,
            Fault.IS_BUSY,
            Fault.RELEASES,
        }
