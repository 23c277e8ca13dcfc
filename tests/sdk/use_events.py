"""Reports numbered events: `use_events.py JOURNAL LAST`.

It begins after the last number in the journal, and writes each number there when `track` has returned. `-1` stands at
its end for whatever did not arrive within two minutes.
"""

import sys
import time
from pathlib import Path

import xyra


def main(journal: Path, last: int) -> None:
    numbers = journal.read_text().split() if journal.exists() else []
    with journal.open("a", buffering=1) as written:
        for number in range(int(numbers[-1]) + 1 if numbers else 0, last):
            xyra.track("command", agent="coder", id=f"event-{number}", data={"quantity": number})
            written.write(f"{number}\n")
            time.sleep(0.0005)
    print(xyra.flush(timeout=120), xyra.stats())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
