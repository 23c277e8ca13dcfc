"""Calls models by LiteLLM, with the callbacks that the environment sets up.

Runs in the clients' environment: `send_by_litellm.py CALLBACK...`. Reads the arguments of each call, as a list of JSON
objects, from its input.
"""

import asyncio
import json
import sys

import litellm
from litellm.integrations.generic_api.generic_api_callback import GenericAPILogger
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER

AT_ONCE = 20


async def main(callbacks: list[str], calls: list[dict]) -> None:
    generic = [GenericAPILogger()] if "generic_api" in callbacks else []
    litellm.callbacks = [*generic, *(each for each in callbacks if each != "generic_api")]
    litellm.turn_off_message_logging = True
    for start in range(0, len(calls), AT_ONCE):
        await asyncio.gather(*(litellm.acompletion(**call) for call in calls[start : start + AT_ONCE]))
        await GLOBAL_LOGGING_WORKER.flush()
    for logger in generic:
        await logger.async_send_batch()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:], json.load(sys.stdin)))
