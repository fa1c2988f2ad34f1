"""A lock that the system frees when its holder dies."""

import os
import subprocess
import sys
from pathlib import Path

from app.core.processlock import ProcessLock, noted_holder
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
HOLD = """
import sys, time
from pathlib import Path
from app.core.processlock import ProcessLock
assert ProcessLock.take(Path(sys.argv[1])) is not None
print("held", flush=True)
sys.stdin.read()
"""


def test_one_holder_at_a_time_and_the_next_after_it(tmp_path: Path) -> None:
    path = tmp_path / "engine.lock"
    held = ProcessLock.take(path)
    assert held is not None
    assert ProcessLock.take(path) is None
    held.release()
    held.release()
    with ProcessLock.take(path) or os.abort():
        assert noted_holder(path) == os.getpid()


def test_a_killed_holder_frees_it(tmp_path: Path) -> None:
    path = tmp_path / "engine.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert ProcessLock.take(path) is None
        assert noted_holder(path) == process.pid
        process.kill()
        process.wait(20)
    taken = wait_until(lambda: ProcessLock.take(path), what="the freed lock")
    assert taken is not None
    taken.release()


def test_who_held_it_is_not_always_known(tmp_path: Path) -> None:
    assert noted_holder(tmp_path / "none") is None
    (tmp_path / "odd").write_text("not a number")
    assert noted_holder(tmp_path / "odd") is None
