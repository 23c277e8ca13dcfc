"""Devices from which a user has signed in, known by their tokens."""

import secrets as random_values
from collections.abc import Sequence

from shared.containers import DIRECTORY
from shared.domain.access.accounts import Account, user_partition
from shared.domain.access.lockout import MAXIMUM_DEVICES, KnownDevice, new_device
from shared.domain.access.sessions import begun_at
from shared.ports.clock import Clock
from shared.services.storage import Operation, Records, Store, creating, deleting, putting

_READ = 90
"""More than there can be, unless hosts with stale reads made more."""
_TOKEN_BYTES = 32


class KnownDevices:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._clock = clock
        self._devices = Records(store, DIRECTORY, KnownDevice)

    async def signing_in(self, account: Account, shown: str | None) -> tuple[str, Sequence[Operation]]:
        """A new token by which the device is known, and what has to be written for that.

        `shown` is the id of the device that the user signs in from. Its earlier token stays good: the answer may be
        lost, and no answer repeats a secret.
        """
        now = self._clock.now()
        page = await self._devices.page(user_partition(account.user_id), limit=_READ)
        known = [device for device in page.entities if device.id == shown]
        others = [stored for stored in page.stored if stored.entity.id != shown]
        others.sort(key=lambda stored: stored.entity.last_used_at, reverse=True)
        fresh = random_values.token_urlsafe(_TOKEN_BYTES)
        return fresh, [
            creating(new_device(fresh, begun_at(now, account.devices_ended_at), now)),
            *(putting(device.used(now)) for device in known if device.is_known(now, account.devices_ended_at)),
            *(deleting(stored) for stored in others[MAXIMUM_DEVICES - 2 :]),
        ]
