"""Strikes a repository thousands of times and looks whether anything was lost or leaked.

Each case is a seed: some backups, deletions, returns and garbage collections, a fate, and the step at which it
strikes. Run by
``./dev bench crash [--cases N] [--seed N]``.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.page import circumstances, write_section
from tests.support.crash_cases import run_cases


def main() -> int:
    """Run and write the section of ``docs/performance.md``."""
    parser = argparse.ArgumentParser(description="Strike a repository at every step.")
    parser.add_argument("--cases", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-page", action="store_true", help="print only")
    options = parser.parse_args()
    memory = Path("/dev/shm")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        tally = run_cases(range(options.seed, options.seed + options.cases), Path(folder))
    rows = "\n".join(f"| {fate} | {count:,} |" for fate, count in sorted(tally.struck.items()))
    command = f"./dev bench crash --cases {options.cases} --seed {options.seed}"
    text = (
        f"{tally.cases:,} seeded lives of a repository in {time.monotonic() - started:.0f} s, "
        f"{tally.steps:,} steps at the standby, {tally.points:,} restore points found afterwards. In every "
        "case all committed points read whole, nothing uncommitted was visible, the next backup succeeded, two "
        "garbage collections left no garbage, and after deleting everything no file was left but "
        "`repository.json`.\n\n"
        "A power cut also loses what was not synced: tails of files, and the latest changes of names.\n\n"
        f"| fate | cases in which it struck |\n|---|---|\n{rows}\n\n{circumstances(command)}"
    )
    print(text)
    if not options.no_page:
        write_section("crash", "Crash safety of the repository", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
