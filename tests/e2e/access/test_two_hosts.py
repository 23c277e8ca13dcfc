"""Two hosts on one store: failures are one number, and what ends on one is refused by the other at the next call."""

from collections.abc import Callable

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import PASSWORD, Answer, Xyra
from tests.doubles.clients.xyra_process import XyraProcess


async def test_failures_and_ends_of_sessions_hold_on_both(new_process: Callable[..., XyraProcess]) -> None:
    one, other = await Served.by(new_process()), await Served.by(new_process())
    async with one.clients() as first, other.clients() as second:
        email = (await first.sign_up())["user"]["email"]
        client = await second.sign_in(email)
        await client.get("auth/me")
        on_first = first.bearing(client.headers["Authorization"].removeprefix("Bearer "))
        (await on_first.send("POST", "auth/logout-all")).expect(204)
        (await client.send("GET", "auth/me")).problem(401, "unauthenticated")
        for host in (first, second, first, second, first):
            (await sign_in(host, email, "not the right password")).problem(401, "unauthenticated")
        for host in (second, first):
            locked = await sign_in(host, email, PASSWORD)
            locked.problem(423, "locked")
            assert 3500 < int(locked.headers["Retry-After"]) <= 3600


async def sign_in(xyra: Xyra, email: str, password: str) -> Answer:
    form = {"username": email, "password": password}
    return await xyra.anonymous.send("POST", "auth/login/access-token", form=form)
