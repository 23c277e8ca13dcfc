"""What an integrator writes with the SDK: make an agent, report, list, change under an ETag, meet errors.

Prints what came of it as one JSON object, once of `Client` and once of `AsyncClient`.
"""

import asyncio
import json

import xyra


def sync() -> dict[str, object]:
    with xyra.Client() as client:
        made = [client.agents.create({"external_id": f"sync-{number}", "name": "Agent"}) for number in range(5)]
        read = client.agents.get(made[0]["id"])
        changed = client.agents.update(made[0]["id"], {"name": "Other"}, if_match=xyra.etag_of(read))
        accepted = client.events.report({"events": [{"id": "1", "type": "command", "agent": "sync-0"}]})
        try:
            client.agents.update(made[0]["id"], {"name": "Third"}, if_match=xyra.etag_of(read))
        except xyra.PreconditionFailed as error:
            stale = error.code
        listed = sorted(agent["external_id"] for agent in client.agents.list(limit=2))
        return {"listed": listed, "name": changed["name"], "accepted": accepted["accepted"], "stale": stale}


async def asynchronous() -> dict[str, object]:
    async with xyra.AsyncClient() as client:
        listed = sorted([agent["external_id"] async for agent in client.agents.list(limit=2)])
        try:
            await client.agents.create({"external_id": "", "name": "Agent"})
        except xyra.InvalidRequest as error:
            return {"listed": listed, "pointers": [place["pointer"] for place in error.places]}
    raise AssertionError


def main() -> None:
    print(json.dumps({"sync": sync(), "async": asyncio.run(asynchronous())}))


if __name__ == "__main__":
    main()
