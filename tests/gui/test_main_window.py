import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QListWidget
from pytestqt.qtbot import QtBot

from app.views import style
from app.views.console import Console
from app.views.frame.history import Address
from app.views.frame.main_window import MainWindow
from app.views.icons import Glyph
from app.views.page import Crumb, Page
from app.views.style import Theme


class Overview(Page):
    key = "overview"
    glyph = Glyph.OVERVIEW

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.opened: list[tuple[str, ...]] = []
        self.refreshed = 0

    def title(self) -> str:
        return "Overview"

    def open(self, path: tuple[str, ...]) -> None:
        self.opened.append(path)

    def refresh(self) -> None:
        self.refreshed += 1


class Rules(Overview):
    key = "backup"
    glyph = Glyph.BACKUP

    def title(self) -> str:
        return "VM backup"

    def crumbs(self) -> tuple[Crumb, ...]:
        first = Crumb("VM backup", Address("backup"))
        return (first, Crumb("<prod & test>")) if self.opened and self.opened[-1] else (Crumb("VM backup"),)


@pytest.fixture
def window(qtbot: QtBot, console: Console) -> MainWindow:
    window = MainWindow(console, [Overview(console), Rules(console)])
    qtbot.addWidget(window)
    window.show()
    return window


def test_a_click_in_the_navigation_opens_the_page(qtbot: QtBot, window: MainWindow) -> None:
    navigation = window.findChild(QListWidget, "navigation")
    assert isinstance(navigation, QListWidget)
    rect = navigation.visualItemRect(navigation.item(1))
    QTest.mouseClick(
        navigation.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, rect.center()
    )
    assert window.address == Address("backup")
    assert window.windowTitle() == "VM backup — Standfast"


def test_pages_send_the_window_to_an_address_and_back_leads_home(
    qtbot: QtBot, window: MainWindow, console: Console
) -> None:
    console.go("backup", "r1")
    assert window.address == Address("backup", ("r1",))
    crumbs = [label.text() for label in window.findChildren(QLabel) if "&lt;prod &amp; test&gt;" in label.text()]
    assert len(crumbs) == 1
    QTest.keyClick(window, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert window.address == Address("overview")
    QTest.keyClick(window, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    assert window.address == Address("backup")


def test_f5_refreshes_the_page_and_ctrl_f_goes_to_its_filter(qtbot: QtBot, window: MainWindow) -> None:
    page = next(widget for widget in window.findChildren(Overview) if widget.isVisible())
    window.activateWindow()
    QTest.keyClick(page, Qt.Key.Key_F5)
    assert page.refreshed == 1
    QTest.keyClick(page, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert window.focusWidget() is page.toolbar.filter


def test_the_theme_changes_live_and_is_remembered(window: MainWindow, console: Console) -> None:
    console.theme.choose(Theme.DARK)
    assert console.colors is style.DARK
    assert window.palette().window().color().name() == style.DARK.window
    assert console.memory.text("theme") == "dark"
    console.theme.toggle()
    assert console.colors is style.LIGHT


def test_closing_only_hides_a_window_that_lives_on_in_the_tray(window: MainWindow) -> None:
    window.keep_open()
    window.close()
    assert not window.isVisible()
    window.show()
    window.let_close()
    assert not window.isVisible()
