"""Many sign-ins at once: some wait, the others are told to come again, and the host's memory stays as it is."""

import asyncio
from collections import Counter
from collections.abc import Callable

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import Answer, Xyra
from tests.doubles.clients.xyra_process import XyraProcess

SIGN_INS = 40
MOST_MEMORY_MB = 100
"""A hash takes 64 MB. Six at once, one for each thread that the processors' number allows, took 380."""


async def test_forty_sign_ins_at_once_take_the_memory_of_one(new_process: Callable[..., XyraProcess]) -> None:
    process = new_process()
    served = await Served.by(process)  # the operator has signed in, so that one hash is in the peak already
    async with served.clients() as xyra:
        before = process.peak_memory_mb()
        answers = await asyncio.gather(*(sign_in(xyra, number) for number in range(SIGN_INS)))
        assert process.peak_memory_mb() - before < MOST_MEMORY_MB
        statuses = Counter(answer.status for answer in answers)
        assert set(statuses) <= {401, 503}
        assert statuses[401] > 1
        assert statuses[503] >= 1
        for refused in (answer for answer in answers if answer.status == 503):
            refused.problem(503, "unavailable")
            assert int(refused.headers["Retry-After"]) >= 1
        (await sign_in(xyra, 0)).problem(401, "unauthenticated")


async def sign_in(xyra: Xyra, number: int) -> Answer:
    form = {"username": f"nobody-{number}@example.com", "password": "not the right password"}
    return await xyra.anonymous.send("POST", "auth/login/access-token", form=form)
