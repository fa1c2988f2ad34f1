"""No text is cut off and nothing overlaps, on any page and in any dialog, in both languages and two sizes.

The same tests run once more at 150 % in a process of their own, see ``test_scaled.py``.
"""

import pytest
from PySide6.QtWidgets import QMainWindow, QWidget

from app.views import style
from app.views.translation import Language
from tests.gui.fit.conftest import MakeScene
from tests.gui.fit.places import PLACES
from tests.support.fit import misfits

SIZES = (
    (style.WINDOW_MIN_WIDTH, style.WINDOW_MIN_HEIGHT),
    (style.WINDOW_WIDTH, style.WINDOW_HEIGHT),
)


@pytest.mark.parametrize("language", [Language.ENGLISH, Language.CHINESE], ids=lambda one: one.value)
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
