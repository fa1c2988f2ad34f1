import subprocess
import sys

PROGRAM = """
from PySide6.QtCore import QObject, Signal
from app.workers.refcounts import keep_constants_alive

class Source(QObject):
    told = Signal(int)

keep_constants_alive()
source = Source()
for number in range(50_000):
    source.told.emit(number)
    source.property("missing")
print("alive")
"""


def test_a_program_outlives_more_signals_than_true_has_references() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "alive"), done.stderr
