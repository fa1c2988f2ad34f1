"""Runs a command and writes what it used into a file: ``usage.py FILE COMMAND...``; standard library only.

A process takes over the peak memory of the one that it was made by: here that is a small one, not the benchmark.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def main(told: str, command: list[str]) -> int:
    """Run it and return its exit status."""
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    found = {
        "wall_s": time.perf_counter() - started,
        "user_s": usage.ru_utime,
        "system_s": usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * 1024,
    }
    Path(told).write_text(json.dumps(found), encoding="utf-8")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
