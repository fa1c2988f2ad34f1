"""No text is cut off and nothing overlaps, on any page and in any dialog, in both languages and two sizes.

The same tests run once more at 150 %, in a process of their own. Windows reports to a program that knows high
resolutions the factor of the screen, and Qt draws by it: a logical pixel becomes 1.5 physical ones. What changes
are roundings, of glyphs and of edges, not the sizes in the style. Qt's own factor goes the same way and is read
once, at the start of a process.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMainWindow, QWidget

from app.views import style
from app.views.translation import Language
from tests.gui.fit.conftest import MakeScene
from tests.gui.fit.places import PLACES
from tests.support.fit import misfits

ROOT = Path(__file__).resolve().parents[3]
FACTOR = "QT_SCALE_FACTOR"
WHERE_SIZES_COUNT = ("test_checker.py", "test_places.py")
"""The other tests of this folder look at texts, focus and clicks, which no factor changes."""
SIZES = (
    (style.WINDOW_MIN_WIDTH, style.WINDOW_MIN_HEIGHT),
    (style.WINDOW_WIDTH, style.WINDOW_HEIGHT),
)


@pytest.mark.parametrize("language", [Language.ENGLISH, Language.CHINESE], ids=lambda language: language.value)
@pytest.mark.parametrize("name", PLACES)
def test_everything_has_room(make_scene: MakeScene, name: str, language: Language) -> None:
    scene = make_scene(language, SIZES[0])
    for size in SIZES:
        scene.shell.window.resize(*size)
        shown = PLACES[name](scene)
        assert (scene.shell.window.width(), scene.shell.window.height()) == size, "the window refuses the size"
        found = [*misfits(shown), *_too_large(shown)]
        assert not found, f"at {size[0]}×{size[1]}:\n" + "\n".join(map(str, found))
        scene.close_opened()


def _too_large(shown: QWidget) -> list[str]:
    """Return what makes a dialog larger than the smallest window that is promised to do."""
    width, height = SIZES[0]
    if isinstance(shown, QMainWindow):
        return []
    if shown.width() > width or shown.height() > height:
        return [f"{type(shown).__name__} is {shown.width()}×{shown.height()}, larger than {width}×{height}"]
    return []


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
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]


@pytest.mark.skipif(FACTOR not in os.environ, reason="looks at the process at another scale")
def test_the_factor_is_in_force(qapp: QGuiApplication) -> None:
    screen = qapp.primaryScreen()
    assert screen.devicePixelRatio() == pytest.approx(float(os.environ[FACTOR]))
