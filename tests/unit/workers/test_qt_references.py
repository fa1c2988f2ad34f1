"""The Qt binding keeps the references of the constants: up to Python 3.11 the program dies when they are lost."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from PySide6.QtCore import QAbstractListModel, QObject, Qt, Signal

class Source(QObject):
    reported = Signal(int)

class Rows(QAbstractListModel):
    def rowCount(self, parent=None):
        return 1
    def data(self, index, role=0):
        return None

source, rows = Source(), Rows()
index = rows.index(0)
before = [sys.getrefcount(constant) for constant in (True, False, None)]
for number in range(50_000):
    source.reported.emit(number)
    source.property("missing")
    index.data(Qt.ItemDataRole.ToolTipRole)
after = [sys.getrefcount(constant) for constant in (True, False, None)]
lost = max(old - new for old, new in zip(before, after))
print("lost" if lost > 100 else "kept", lost)
"""


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="from Python 3.12 on the constants are immortal")
def test_signals_and_item_roles_lose_no_references() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.split()[:1]) == (0, ["kept"]), (done.stdout, done.stderr)
