"""Writes to an overlay until it is killed, and says what was synced: ``python -m … FOLDER SEED FIRST``."""

import random
import sys
import threading
from pathlib import Path

from app.nfs.overlay import OverlayDisk, OverlayLimits
from tests.unit.nfs.overlay.helpers import GRAIN, KIB, opener, random_write
from tests.unit.repository.helpers import random_bytes

CAPACITY = 128 * GRAIN + 99
CONTENT = random_bytes(CAPACITY, seed=11)
LIMITS = OverlayLimits(
    segment_bytes=128 * KIB,
    record_bytes=32 * KIB,
    pages_in_memory=16,
    open_segments=4,
    spare_segments=2,
    compaction_bytes_per_s=64 << 20,
)
MOST_AHEAD = 24
"""Writes that may have been done since the last sync that was acknowledged."""


def write_of(seed: int, number: int) -> tuple[int, bytes]:
    """Return the write of a number."""
    return random_write(random.Random(f"{seed} {number}"), CAPACITY)


def main() -> None:
    folder, seed, number = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    reading = threading.Thread(target=sys.stdin.read, daemon=True)  # ends with the one who started this
    reading.start()
    dice = random.Random(f"{seed} from {number}")
    with OverlayDisk(opener(CONTENT), CAPACITY, folder, LIMITS) as disk:
        print(number, flush=True)
        while reading.is_alive():
            for _ in range(dice.randrange(1, MOST_AHEAD)):
                disk.write(*write_of(seed, number))
                number += 1
            disk.sync()
            print(number, flush=True)


if __name__ == "__main__":
    main()
