"""How long a guest takes from power-on to power-off when its disk is a restore point, beside nfs-ganesha.

The same guest boots under QEMU (without hardware help) over NFS: from nfs-ganesha with the raw disk, and from our
service with a restore point of it, in turn, both on the ports of NFS in one namespace, and both begin with empty
caches. The guest boots, copies three megabytes, syncs and powers off.

Run by ``./dev bench guest``, or ``python -m tests.bench.guest [--rounds N]``.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.instant import Servers, forget_cached
from tests.bench.page import circumstances, write_section
from tests.support.ganesha import ganesha
from tests.support.guest import boot_command, guest_image, what_it_said

GOAL = 1.2


def boot(url: str, console: Path, payload_sum: str) -> float:
    """Return the seconds from the start of QEMU to the end of a guest that did what it should."""
    console.unlink(missing_ok=True)
    forget_cached()
    begun = time.monotonic()
    subprocess.run(boot_command(f"file={url}", console), check=True, timeout=300)
    took = time.monotonic() - begun
    assert what_it_said(console).payload_sum == payload_sum
    return took


def measure(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each boot."""
    image = guest_image()
    servers = Servers(folder, image.path.read_bytes())
    seconds: dict[str, list[float]] = {"ganesha": [], "ours": []}
    with ganesha(servers.exported, folder / "ganesha", is_writable=True, starts=False) as server:
        for number in range(rounds + 1):
            server.start()
            took = {
                "ganesha": boot(
                    f"nfs://{server.host}{servers.exported}/flat", folder / "console", image.payload_sum
                )
            }
            server.kill()
            with servers.ours(server, port=2049, portmap_port=111) as (export, _):
                took["ours"] = boot(f"nfs://{server.host}{export}/flat", folder / "console", image.payload_sum)
            for whose, length in took.items():
                print(f"round {number}: {whose:8} {length:6.1f} s", flush=True)
                if number:  # the first round warms everything up
                    seconds[whose].append(length)
    return seconds


def report(seconds: dict[str, list[float]], rounds: int) -> bool:
    """Print and write down the figures; return whether the goal is reached."""
    medians = {whose: statistics.median(times) for whose, times in seconds.items()}
    ratio = medians["ours"] / medians["ganesha"]
    body = "\n".join(
        [
            f"{rounds} rounds, both servers in turn in each, empty caches; medians. What the guest does is told "
            "in `tests/bench/guest.py`.",
            "",
            "| | ours | ganesha | ratio | goal, at most |",
            "|---|---|---|---|---|",
            f"| guest, from power-on to power-off | {medians['ours']:.1f} s | {medians['ganesha']:.1f} s "
            f"| {ratio:.2f} | {GOAL} |",
            "",
            circumstances(f"./dev bench guest --rounds {rounds}"),
        ]
    )
    print(body)
    write_section("guest", "Booting a guest from a restore point over NFS", body)
    return ratio <= GOAL


def main() -> int:
    """Measure, write the figures down, and fail when the goal is missed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    folder = Path(tempfile.mkdtemp(prefix="standfast-guest-"))
    try:
        seconds = measure(folder, rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    reached = report(seconds, rounds)
    print("goal reached" if reached else "THE GOAL IS MISSED")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
