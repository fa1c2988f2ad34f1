"""Names are never markup: on no page and in no dialog is one interpreted, and no file is opened."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QAbstractItemModel, QAbstractListModel, QModelIndex, QPoint, Qt
from PySide6.QtGui import QAction, QImage, QTextDocument
from PySide6.QtGui import Qt as GuiQt
from PySide6.QtWidgets import QAbstractItemView, QApplication, QLabel, QTextEdit, QToolTip, QWidget

from app.views import style
from app.views.translation import Language
from tests.gui.fit.conftest import MakeScene
from tests.gui.fit.hostile import make_hostile
from tests.gui.fit.places import PLACES
from tests.support.file_watch import FileWatch, watching
from tests.support.scripted_door import ScriptedDoor


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture that must never be opened."""
    path = tmp_path / "spy.png"
    image = QImage(8, 8, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    assert image.save(str(path))
    return path


@pytest.fixture
def watch(picture: Path) -> Iterator[FileWatch]:
    """Tells whether it was opened."""
    with watching(picture) as watched:
        yield watched


def test_the_watch_sees_what_a_plain_qlabel_does(qapp: QApplication, picture: Path, watch: FileWatch) -> None:
    label = QLabel(f'<img src="{picture.as_uri()}">')
    label.grab()
    assert watch.was_opened()
    label.deleteLater()
    del qapp


@pytest.mark.parametrize("name", PLACES)
def test_no_name_is_interpreted(
    make_scene: MakeScene, door: ScriptedDoor, picture: Path, watch: FileWatch, name: str
) -> None:
    make_hostile(door, f'<img src="{picture.as_uri()}"><b>x</b> & ')
    scene = make_scene(Language.ENGLISH, (style.WINDOW_WIDTH, style.WINDOW_HEIGHT))
    shown = PLACES[name](scene)
    for window in {scene.shell.window, shown.window()}:
        window.grab()
        problems = [*_interpreted(window), *_tips_interpreted(window)]
        assert not problems, "\n".join(problems)
    assert not watch.was_opened()
    scene.close_opened()


def _interpreted(window: QWidget) -> Iterator[str]:
    for label in window.findChildren(QLabel):
        if "<img" in label.text() and (
            label.textFormat() is Qt.TextFormat.RichText
            or (label.textFormat() is Qt.TextFormat.AutoText and GuiQt.mightBeRichText(label.text()))
        ):
            yield f"label {label.objectName()}: {label.text()}"
    for edit in window.findChildren(QTextEdit):
        if "￼" in edit.toPlainText():
            yield f"a picture in {edit.accessibleName()}"
    for action in window.findChildren(QAction):
        if _is_hostile(action.text()) and "& " in action.text().replace("&&", ""):
            yield f"action {action.text()}"


def _tips_interpreted(window: QWidget) -> Iterator[str]:
    tips = [widget.toolTip() for widget in (window, *window.findChildren(QWidget))]
    for view in window.findChildren(QAbstractItemView):
        if view.model() is not None:
            tips += _cell_tips(view.model(), QModelIndex())
    for tip in dict.fromkeys(filter(_is_hostile, tips)):
        QToolTip.showText(QPoint(1, 1), tip, window)
        QApplication.processEvents()
        if not GuiQt.mightBeRichText(tip):
            continue
        document = QTextDocument()
        document.setHtml(tip)
        if "<img" not in document.toPlainText():
            yield f"tooltip {tip}"
    QToolTip.hideText()


def _cell_tips(model: QAbstractItemModel, parent: QModelIndex) -> Iterator[str]:
    for row in range(min(20, model.rowCount(parent))):
        columns = 1 if isinstance(model, QAbstractListModel) else model.columnCount(parent)
        for column in range(columns):
            index = model.index(row, column, parent)
            yield str(index.data(Qt.ItemDataRole.ToolTipRole) or "")
            if column == 0 and not isinstance(model, QAbstractListModel):
                yield from _cell_tips(model, index)


def _is_hostile(text: str) -> bool:
    return "img" in text and "spy.png" in text
