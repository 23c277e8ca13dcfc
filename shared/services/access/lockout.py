"""Counts failed sign-ins in the store, so that the lock holds over all hosts."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from shared.containers import DIRECTORY
from shared.domain.access.accounts import Account, address_partition, trails_of_account, user_partition
from shared.domain.access.lockout import FAILURES_BEFORE_LOCK, FailedSignIns, KnownDevice, with_failure, without_failure
from shared.domain.kernel.audit import Target
from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError
from shared.ports.clock import Clock
from shared.services.storage import OPERATOR, Records, Store, noting

_ID = "failed_sign_ins"


@dataclass(frozen=True, slots=True)
class CountedTry:
    """A try that counts as a failure until it is taken back."""

    partition: str
    at: datetime
    device_id: str | None = None
    locks: bool = False
    """Whether it is the fifth, which locks unless it is taken back."""


class Lockout:
    """A try is counted before the password is checked: so of tries at the same time none passes uncounted."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._failures = Records(store, DIRECTORY, FailedSignIns, called="account")
        self._devices = Records(store, DIRECTORY, KnownDevice, called="device")

    async def count_for_address(self, email: str) -> CountedTry:
        """Raises `LockedError`, also for an unknown address."""
        return await self._count(address_partition(email))

    async def count_for_user(self, user_id: str) -> CountedTry:
        """For whoever is signed in and has to show the password again. Raises `LockedError`."""
        return await self._count(user_partition(user_id))

    async def _count(self, partition: str) -> CountedTry:
        now = self._clock.now()

        def decide(failures: FailedSignIns | None) -> FailedSignIns:
            before = FailedSignIns() if failures is None else failures
            return before.changed(at=with_failure(before.at, now))

        with _unavailable_where_busy():
            counted = await self._failures.change_or_create(partition, _ID, decide)
        return CountedTry(partition, now, locks=len(counted.entity.at) >= FAILURES_BEFORE_LOCK)

    async def count_for_device(self, user_id: str, device_id: str) -> CountedTry:
        """Raises `LockedError`, `NotFoundError` where the device is not known any longer."""
        now, partition = self._clock.now(), user_partition(user_id)

        def decide(device: KnownDevice) -> KnownDevice:
            return device.with_failures(with_failure(device.failures, now), now)

        with _unavailable_where_busy():
            counted = await self._devices.change(partition, device_id, decide)
        return CountedTry(partition, now, device_id, locks=len(counted.entity.failures) >= FAILURES_BEFORE_LOCK)

    async def tell(self, counted: CountedTry, account: Account | None) -> None:
        """Note on the audit trail that the try was wrong and locks.

        It takes the same requests whether the address has an account: of one without, the operator's trail tells.
        """
        if not counted.locks:
            return
        target = Target("address", counted.partition.partition(":")[2])
        if account is not None:
            target = Target("user", account.user_id)
        trails = () if account is None else trails_of_account(account)
        details = {"failures": FAILURES_BEFORE_LOCK, "device": counted.device_id}
        note = noting("sessions.lock", target, trails or (OPERATOR,), details=details, is_deferred=True)
        await self._store.batch(DIRECTORY.name, counted.partition, [note])

    async def take_back(self, counted: CountedTry) -> None:
        """The try was no failure; those before it stay."""
        now = self._clock.now()

        def decide(failures: FailedSignIns | None) -> FailedSignIns:
            before = FailedSignIns() if failures is None else failures
            return before.changed(at=without_failure(before.at, counted.at))

        def decide_device(device: KnownDevice) -> KnownDevice:
            return device.with_failures(without_failure(device.failures, counted.at), now)

        with _unavailable_where_busy(), suppress(NotFoundError):  # a device may be forgotten meanwhile
            if counted.device_id is None:
                await self._failures.change_or_create(counted.partition, _ID, decide)
            else:
                await self._devices.change(counted.partition, counted.device_id, decide_device)

    async def clear(self, counted: CountedTry) -> None:
        """The user has shown who they are, by the last factor: no failure counts any longer.

        Those of a known device are cleared where its session is begun.
        """
        if counted.device_id is None:
            await self._failures.remove(counted.partition, _ID)


@contextmanager
def _unavailable_where_busy() -> Iterator[None]:
    """Whoever signs in has changed nothing that could conflict: they are asked to come again."""
    try:
        yield
    except ConflictError as error:
        raise UnavailableError("Too many sign in with this address at once") from error
