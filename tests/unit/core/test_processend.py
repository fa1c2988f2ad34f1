"""A process ends although a thread of it hangs."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STUCK = """
import sys, threading
from app.core.processend import end_at_the_latest, end_process
threading.Thread(target=threading.Event().wait, name="hangs").start()
print("said before", flush=False)
"""


@pytest.mark.parametrize(
    ("ending", "status"), [("end_process(7)", 7), ("end_at_the_latest(9, 0.2); threading.Event().wait()", 9)]
)
def test_a_thread_that_hangs_does_not_keep_the_process(ending: str, status: int) -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", STUCK + ending], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (status, "said before\n")
    assert time.monotonic() - began < 20


def test_without_one_it_ends_in_order() -> None:
    script = (
        "import atexit\nfrom app.core.processend import end_process\natexit.register(print, 'bye')\nend_process(3)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (3, "bye\n")
