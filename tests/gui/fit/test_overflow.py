"""A tool bar that has no room for all of its buttons keeps the rest in a menu."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QToolButton
from pytestqt.qtbot import QtBot

from app.views.console import Console
from app.views.icons import Glyph
from app.views.widgets.toolbar import ToolBar
from tests.support.fit import misfits

WORDS = ("Edit the platform", "Examine the platform", "Delete the platform", "Read it again")


def noter(done: list[str], words: str) -> Callable[[], None]:
    def note() -> None:
        done.append(words)

    return note


def made(qtbot: QtBot, console: Console, done: list[str]) -> ToolBar:
    bar = ToolBar(console.theme)
    qtbot.addWidget(bar)
    bar.add_primary("New", Glyph.ADD, noter(done, "New"))
    for words in WORDS:
        bar.add_action(words, Glyph.EDIT, noter(done, words))
    bar.resize(1200, 52)
    bar.show()
    QApplication.processEvents()
    return bar


def more(bar: ToolBar) -> QToolButton:
    return next(button for button in bar.findChildren(QToolButton) if button.toolTip() == "More…")


def test_with_room_every_button_is_seen(qtbot: QtBot, console: Console) -> None:
    bar = made(qtbot, console, [])
    assert bar.overflow.moved == ()
    assert not more(bar).isVisible()
    assert misfits(bar) == []


def test_without_room_the_last_buttons_wait_in_the_menu_and_come_back(qtbot: QtBot, console: Console) -> None:
    done: list[str] = []
    bar = made(qtbot, console, done)
    bar.resize(620, 52)
    qtbot.waitUntil(lambda: bool(bar.overflow.moved))
    qtbot.waitUntil(lambda: misfits(bar) == [])
    texts = [button.text() for button in bar.overflow.moved]
    assert texts == list(WORDS[-len(texts) :])
    QTest.mouseClick(more(bar), Qt.MouseButton.LeftButton)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    assert [action.text() for action in menu.actions()] == texts
    QTest.keyClick(menu, Qt.Key.Key_Down)
    QTest.keyClick(menu, Qt.Key.Key_Return)
    assert done == [texts[0]]
    bar.resize(1200, 52)
    qtbot.waitUntil(lambda: bar.overflow.moved == ())
    assert not more(bar).isVisible()


def test_a_button_that_may_not_be_pressed_cannot_be_chosen_in_the_menu(qtbot: QtBot, console: Console) -> None:
    bar = made(qtbot, console, [])
    bar.resize(620, 52)
    qtbot.waitUntil(lambda: bool(bar.overflow.moved))
    bar.overflow.moved[-1].setEnabled(False)
    menu = QMenu()
    bar.overflow.fill_menu(menu)
    assert [action.isEnabled() for action in menu.actions()][-1] is False
