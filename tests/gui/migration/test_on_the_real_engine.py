"""A migration by clicks: the window, the engine and two simulated platforms, nothing scripted."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.contract.migration import MigrationRow
from app.domain.migration import MigrationAction, MigrationState
from app.views.console import Console
from app.views.migration.dialog import MigrationDialog
from app.views.migration.page import MigrationPage
from app.views.widgets.confirm import ConfirmDialog
from tests.gui.migration.steps import click
from tests.gui.operator import console_on
from tests.support.migration_lab import MigrationLab, machine_of, names_of

LONG_MS = 90_000


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[MigrationLab]:
    """An engine between two vCenters."""
    made = MigrationLab.make(tmp_path)
    with ExitStack() as stack:
        stack.enter_context(made.source)
        stack.enter_context(made.target)
        yield stack.enter_context(made)


@pytest.fixture
def console(qapp: QApplication, tmp_path: Path, lab: MigrationLab) -> Iterator[Console]:
    """A console on the engine itself."""
    with console_on(qapp, tmp_path, lab.engine) as opened:
        yield opened


@pytest.fixture
def page(qtbot: QtBot, console: Console) -> Iterator[MigrationPage]:
    page = MigrationPage(console, sample_ms=50)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.show()
    page.open(())
    yield page
    page.leave()


def choose_source(qtbot: QtBot, dialog: MigrationDialog) -> None:
    """Choose the only VM in the tree."""
    source = dialog.source
    qtbot.waitUntil(lambda: source.platform.count() == 2, timeout=LONG_MS)
    source.platform.setCurrentText(next(text for text in _texts(dialog) if text.startswith("here")))
    click(source.choose)
    picker = source.picker
    qtbot.waitUntil(lambda: picker.model.shown_count == 1, timeout=LONG_MS)
    tree = picker.tree.model()
    tree.setData(tree.index(0, 0), Qt.CheckState.Checked.value, Qt.ItemDataRole.CheckStateRole)
    with qtbot.waitSignal(picker.succeeded):
        click(picker.primary)


def _texts(dialog: MigrationDialog) -> list[str]:
    box = dialog.source.platform
    return [box.itemText(place) for place in range(box.count())]


def choose_target(qtbot: QtBot, dialog: MigrationDialog, lab: MigrationLab) -> None:
    """Choose a datastore of the other platform, and look at disks and networks."""
    target = dialog.target
    dialog.tabs.setCurrentIndex(1)
    target.platform.setCurrentIndex(target.platform.findData(lab.there))
    qtbot.waitUntil(lambda: target.datastore.count() > 1, timeout=LONG_MS)
    target.datastore.setCurrentIndex(1)
    click(target.disks.each.button(True))
    click(target.networks.others.button(True))
    qtbot.waitUntil(lambda: len(target.disks.rows) == 1, timeout=LONG_MS)
    qtbot.waitUntil(lambda: bool(target.networks.rows.boxes), timeout=LONG_MS)


def shown(page: MigrationPage) -> MigrationRow | None:
    return next(iter(page.table.rows.rows), None)


def wait_for(qtbot: QtBot, page: MigrationPage, state: MigrationState) -> None:
    """Wait until the list shows a state at which nothing works."""

    def is_there() -> bool:
        row = shown(page)
        return row is not None and row.state is state and row.task is None

    qtbot.waitUntil(is_there, timeout=LONG_MS)


def test_a_vm_is_migrated_and_cut_over_by_clicks(qtbot: QtBot, page: MigrationPage, lab: MigrationLab) -> None:
    click(page.new)
    (dialog,) = page.findChildren(MigrationDialog)
    choose_source(qtbot, dialog)
    choose_target(qtbot, dialog, lab)
    dialog.tabs.setCurrentIndex(2)
    dialog.advanced.automatic.click()
    with qtbot.waitSignal(dialog.succeeded, timeout=LONG_MS):
        click(dialog.primary)
    wait_for(qtbot, page, MigrationState.READY)
    lab.assert_source_unharmed()
    qtbot.waitUntil(page.tools[MigrationAction.CUT_OVER].isEnabled)
    click(page.tools[MigrationAction.CUT_OVER])
    (question,) = page.findChildren(ConfirmDialog)
    with qtbot.waitSignal(question.succeeded, timeout=LONG_MS):
        click(question.primary)
    wait_for(qtbot, page, MigrationState.COMPLETED)
    row = shown(page)
    assert row is not None
    assert row.source_kept_as in names_of(lab.source)
    assert machine_of(lab.target, "web").power_state == "poweredOn"
    assert lab.target_content() == lab.source_content(row.source_kept_as)
