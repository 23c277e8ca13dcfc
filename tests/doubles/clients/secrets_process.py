"""A process that sets secrets: `secrets_process.py PATH VALUE` prints the values that hold."""

import asyncio
import sys
from pathlib import Path

from shared.adapters.secret_file.secrets import LocalSecrets


async def main() -> None:
    secrets = LocalSecrets(Path(sys.argv[1]))
    values = [await secrets.set_if_absent(f"key {number}", sys.argv[2]) for number in range(20)]
    sys.stdout.write("\n".join(values))


if __name__ == "__main__":
    asyncio.run(main())
