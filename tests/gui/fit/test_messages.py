"""Messages move nothing: on every page and in every dialog each thing stays where the mouse found it."""

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from app.views import style
from app.views.backup.list_vms import VmList
from app.views.backup.page import BackupPage
from app.views.translation import Language
from app.views.widgets.banner import Banner, MessageOverlay, Severity
from app.views.widgets.export import ExportStrip
from app.views.widgets.undo import UndoStrip
from tests.gui.fit.conftest import MakeScene
from tests.gui.fit.places import PLACES

LONG = "The standby path /mnt/storage/backups is full (0 B free), and nothing can be written there. " * 3


def show(message: QWidget) -> None:
    if isinstance(message, Banner):
        message.show_problem(LONG, LONG)
    elif isinstance(message, UndoStrip):
        message.offer(LONG, "Start again", lambda: None)
    elif isinstance(message, ExportStrip):
        message.show_progress(12_345)
    else:
        raise TypeError(type(message).__name__)


def places_of(window: QWidget) -> dict[QWidget, QRect]:
    """Return where every widget is that is no message, in the window's coordinates."""
    return {
        widget: QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())
        for widget in window.findChildren(QWidget)
        if widget.isVisible() and widget.window() is window and not _floats(widget, window)
    }


def _floats(widget: QWidget, window: QWidget) -> bool:
    above: QWidget | None = widget
    while above is not None and above is not window:
        if isinstance(above, MessageOverlay):
            return True
        above = above.parentWidget()
    return False


@pytest.mark.parametrize("name", PLACES)
def test_a_message_moves_nothing(make_scene: MakeScene, name: str) -> None:
    scene = make_scene(Language.ENGLISH, (style.WINDOW_WIDTH, style.WINDOW_HEIGHT))
    window = PLACES[name](scene)
    overlays = [overlay for overlay in window.findChildren(MessageOverlay) if overlay.owner.isVisible()]
    scene.settle()
    before = places_of(window)
    for overlay in overlays:
        for message in overlay.messages:
            show(message)
    scene.settle()
    after = places_of(window)
    moved = [
        f"{type(widget).__name__} {before[widget]} → {after[widget]}"
        for widget in before
        if after.get(widget) != before[widget]
    ]
    assert not moved, "\n".join(moved)
    for overlay in overlays:
        assert overlay.isVisible() == bool(overlay.messages)
        if overlay.messages:
            assert overlay.owner.rect().contains(overlay.geometry())
    scene.close_opened()


def test_the_second_click_hits_the_row_of_the_first(make_scene: MakeScene) -> None:
    scene = make_scene(Language.ENGLISH, (style.WINDOW_WIDTH, style.WINDOW_HEIGHT))
    window = scene.page("backup", "r-web")
    page = scene.page_of(BackupPage)
    assert isinstance(page, BackupPage)
    vms = page.part
    assert isinstance(vms, VmList)
    table = vms.table
    index = table.model().index(1, 1)
    place = table.viewport().mapTo(window, table.visualRect(index).center())

    def click() -> str:
        target = window.childAt(place)
        assert target is not None
        QTest.mouseClick(target, Qt.MouseButton.LeftButton, pos=target.mapFrom(window, place))
        QApplication.processEvents()
        row = table.current_row()
        assert row is not None
        return str(row.vm)

    first = click()
    vms.banner.show_problem(LONG, LONG)
    vms.undo.offer(LONG, "Start again", lambda: None)
    scene.settle()
    assert click() == first


def test_each_kind_of_message_has_its_own_look(make_scene: MakeScene) -> None:
    scene = make_scene(Language.CHINESE, (style.WINDOW_WIDTH, style.WINDOW_HEIGHT))
    scene.page("standbys")
    banner = Banner(scene.shell.window)
    looks = {}
    for severity, show in (
        (Severity.PROBLEM, banner.show_problem),
        (Severity.WARNING, banner.show_warning),
        (Severity.INFORMATION, banner.show_text),
        (Severity.SUCCESS, banner.show_success),
    ):
        show("x", "y")
        assert banner.severity is severity
        looks[severity] = (banner.property("severity"), banner.accessibleName())
    assert len(set(looks.values())) == 4
    assert looks[Severity.SUCCESS][1].startswith("成功")
