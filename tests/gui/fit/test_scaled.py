"""The same at 150 %, in a process of its own.

Windows tells a program that knows high resolutions the factor of the screen, and Qt draws by it: a logical pixel
becomes 1.5 physical ones. What changes are roundings, of glyphs and of edges, not the sizes in the style. Qt's own
factor goes the same way and is read once, at the start of a process.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QGuiApplication

ROOT = Path(__file__).resolve().parents[3]
FACTOR = "QT_SCALE_FACTOR"
WHERE_SIZES_COUNT = ("test_checker.py", "test_places.py", "test_scaled.py")
"""The other tests of this folder look at texts, focus and clicks, which no factor changes."""


@pytest.mark.skipif(FACTOR in os.environ, reason="this is the process at another scale")
@pytest.mark.timeout(600)
def test_everything_has_room_at_150_percent() -> None:
    files = [f"tests/gui/fit/{name}" for name in WHERE_SIZES_COUNT]
    command = [sys.executable, "-m", "pytest", *files, "-q", "-n0", "--no-header", "--tb=short"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, FACTOR: "1.5", "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:]


@pytest.mark.skipif(FACTOR not in os.environ, reason="looks at the process at another scale")
def test_the_factor_is_in_force(qapp: QGuiApplication) -> None:
    screen = qapp.primaryScreen()
    assert screen.devicePixelRatio() == pytest.approx(float(os.environ[FACTOR]))
