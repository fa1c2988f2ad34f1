"""A proof by clicks: the window, the engine and the simulated vSphere, nothing scripted."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from app.views.console import Console
from app.views.proof.result import ProofDialog
from app.views.proof.starting import ProveDialog
from app.views.restore.dialog import RestoreDialog
from app.views.restore.page import RestorePage
from app.views.tasks.page import TasksPage
from tests.gui.keys import press_menu_key
from tests.gui.operator import console_on
from tests.support import libnfs
from tests.support.proof_lab import ProofLab

LONG_MS = 60_000

pytestmark = pytest.mark.skipif(not libnfs.is_there(), reason="libnfs is not installed")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ProofLab]:
    """An engine, and a platform whose guests have tools."""
    made = ProofLab.make(tmp_path, foreign_guests_have_tools=True)
    with made.simulator, made:
        yield made


@pytest.fixture
def console(qapp: QApplication, tmp_path: Path, lab: ProofLab) -> Iterator[Console]:
    """A console on the engine itself."""
    with console_on(qapp, tmp_path, lab.engine) as opened:
        yield opened


def test_a_point_is_proven_from_its_menu_and_its_console_is_looked_at(
    qtbot: QtBot, console: Console, lab: ProofLab
) -> None:
    point = lab.backup()
    page = RestorePage(console)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.show()
    page.open((point.id,))
    (dialog,) = page.findChildren(RestoreDialog)
    points = dialog.source.points
    qtbot.waitUntil(lambda: len(points.rows.rows) == 1, timeout=LONG_MS)
    points.selectRow(0)
    points.setFocus()
    press_menu_key(points)
    (menu,) = dialog.source.findChildren(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly)
    next(action for action in menu.actions() if action.text() == "Prove…").trigger()
    menu.close()
    (proving,) = dialog.source.findChildren(ProveDialog)
    with qtbot.waitSignal(proving.succeeded, timeout=LONG_MS):
        QTest.mouseClick(proving.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: str(points.model().index(0, 4).data()) == "Boots", timeout=LONG_MS)
    dialog.close()

    page.open(("proofs",))
    qtbot.waitUntil(lambda: len(page.proofs.table.shown_rows()) == 1, timeout=LONG_MS)
    page.proofs.table.selectRow(0)
    QTest.mouseClick(page.details, Qt.MouseButton.LeftButton)
    (result,) = page.proofs.findChildren(ProofDialog)
    qtbot.waitUntil(lambda: not result.picture.picture.isNull(), timeout=LONG_MS)
    assert result.reason.text() == "Reason: the tools in the guest report that the system runs."
    page.leave()

    proof = lab.proof(point)
    assert proof is not None
    assert proof.task is not None
    tasks = TasksPage(console)
    qtbot.addWidget(tasks)
    tasks.resize(1200, 700)
    tasks.show()
    tasks.open((proof.task,))
    qtbot.waitUntil(tasks.proof.isVisible, timeout=LONG_MS)
    QTest.mouseClick(tasks.proof, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(tasks.findChildren(ProofDialog)), timeout=LONG_MS)
    tasks.leave()
    lab.check_nothing_left()
