"""Export and import of the configuration on the settings page, with a real engine's answers where they matter."""

import stat
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from app.contract.moving import (
    ExportConfiguration,
    ExportedConfiguration,
    ImportConfiguration,
    ImportReport,
    ItemDecision,
    PlanImport,
)
from app.domain.moving import ItemChoice, ItemKind
from app.engine.moving.errors import ConfigurationForeign, ConfigurationPassphraseWrong
from app.views.console import Console
from app.views.moving.export_dialog import ExportDialog
from app.views.moving.import_dialog import ImportDialog
from app.views.settings.page import SettingsPage
from app.views.translation import LanguageSwitch
from tests.gui.shell.conftest import ProgramStub
from tests.gui.shell.moving_samples import CONTENT, OPEN, PLAN, PLATFORM, REFUSED, RULE, STANDBY
from tests.support.scripted_door import ScriptedDoor

C = TypeVar("C", ExportConfiguration, ImportConfiguration)
PASSPHRASE = "otter lamp crane seventeen"
REPORT = ImportReport(added=1, replaced=1, skipped=1, secrets=2, without_password=())


@pytest.fixture
def page(
    qtbot: QtBot, console: Console, calm_door: ScriptedDoor, program: ProgramStub, languages: LanguageSwitch
) -> Iterator[SettingsPage]:
    page = SettingsPage(console, languages, program)
    qtbot.addWidget(page)
    page.resize(1088, 900)
    page.show()
    page.open(())
    qtbot.waitUntil(lambda: page.limits.tasks.isEnabled())
    yield page
    for dialog in (*page.findChildren(ExportDialog), *page.findChildren(ImportDialog)):
        dialog.reject()


def click(button: QWidget) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def tick(box: QCheckBox) -> None:
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_Space)


def sent(door: ScriptedDoor, kind: type[C]) -> list[C]:
    return [command for command in door.executed if isinstance(command, kind)]


def export_dialog(qtbot: QtBot, page: SettingsPage) -> ExportDialog:
    click(page.moving.export)
    qtbot.waitUntil(lambda: bool(page.findChildren(ExportDialog)))
    return page.findChildren(ExportDialog)[0]


def import_dialog(qtbot: QtBot, page: SettingsPage, file: Path) -> ImportDialog:
    with patch.object(QFileDialog, "getOpenFileName", return_value=(str(file), "")):
        click(page.moving.take_in)
    qtbot.waitUntil(lambda: bool(page.findChildren(ImportDialog)))
    return page.findChildren(ImportDialog)[0]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "house.json"
    path.write_bytes(CONTENT)
    return path


def test_an_export_is_written_for_its_owner_only(
    qtbot: QtBot, page: SettingsPage, calm_door: ScriptedDoor, tmp_path: Path
) -> None:
    calm_door.answer(
        ExportConfiguration,
        ExportedConfiguration(content=CONTENT, platforms=1, standbys=1, rules=1, secrets=2),
    )
    dialog = export_dialog(qtbot, page)
    click(dialog.primary)
    assert dialog.first_field.problem == "Enter a passphrase."
    QTest.keyClicks(dialog.first, PASSPHRASE)
    QTest.keyClicks(dialog.second, "another")
    click(dialog.primary)
    assert dialog.second_field.problem == "The two are not the same."
    dialog.second.clear()
    QTest.keyClicks(dialog.second, PASSPHRASE)
    target = tmp_path / "written.json"
    with patch.object(QFileDialog, "getSaveFileName", return_value=(str(target), "")):
        click(dialog.primary)
        qtbot.waitUntil(target.exists)
    qtbot.waitUntil(page.moving.banner.isVisible)
    assert target.read_bytes() == CONTENT
    if sys.platform != "win32":
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sent(calm_door, ExportConfiguration) == [ExportConfiguration(passphrase=PASSPHRASE)]
    assert str(target) in page.moving.banner.title


def test_no_file_no_export(qtbot: QtBot, page: SettingsPage, calm_door: ScriptedDoor) -> None:
    dialog = export_dialog(qtbot, page)
    tick(dialog.with_secrets)
    assert not dialog.with_secrets.isChecked()
    with patch.object(QFileDialog, "getSaveFileName", return_value=("", "")):
        click(dialog.primary)
    assert dialog.isVisible()
    assert dialog.primary.isEnabled()
    assert sent(calm_door, ExportConfiguration) == []


def test_a_file_that_is_none_is_named(
    qtbot: QtBot, page: SettingsPage, calm_door: ScriptedDoor, file: Path
) -> None:
    calm_door.answer(PlanImport, ConfigurationForeign())
    with patch.object(QFileDialog, "getOpenFileName", return_value=(str(file), "")):
        click(page.moving.take_in)
    qtbot.waitUntil(page.moving.banner.isVisible)
    assert "no exported configuration" in page.moving.banner.title
    assert page.moving.take_in.isEnabled()


def test_an_import_shows_what_it_would_do_and_does_what_was_chosen(
    qtbot: QtBot, page: SettingsPage, calm_door: ScriptedDoor, file: Path
) -> None:
    calm_door.answer(PlanImport, PLAN)
    calm_door.answer(ImportConfiguration, REPORT)
    dialog = import_dialog(qtbot, page, file)
    table = dialog.table
    shown = [
        [table.model().index(row, column).data() for column in range(5)] for row in range(table.model().rowCount())
    ]
    assert ["vc-prod", "Virtual platform", "Different", "Leave out", "account, certificate"] in shown
    assert ["nightly", "Backup rule", "New", "Add", ""] in shown
    assert any("esx-old" in row[4] for row in shown)
    assert dialog.choice.currentText() == "Leave out"

    calm_door.answer(PlanImport, ConfigurationPassphraseWrong())
    QTest.keyClicks(dialog.passphrase, "wrong")
    click(dialog.unlock)
    qtbot.waitUntil(dialog.banner.isVisible)
    calm_door.answer(PlanImport, OPEN)
    dialog.passphrase.clear()
    QTest.keyClicks(dialog.passphrase, PASSPHRASE)
    click(dialog.unlock)
    qtbot.waitUntil(lambda: dialog.unlock.text() == "Opened")

    replaced = replace(PLATFORM, chosen=ItemChoice.REPLACE)
    calm_door.answer(PlanImport, replace(OPEN, items=(replaced, STANDBY, RULE, REFUSED)))
    dialog.choice.setFocus()
    QTest.keyClick(dialog.choice, Qt.Key.Key_Home)
    qtbot.waitUntil(lambda: dialog.table.rows.get((ItemKind.PLATFORM, "p1")) == replaced)
    click(dialog.primary)
    qtbot.waitUntil(page.moving.banner.isVisible)
    (command,) = sent(calm_door, ImportConfiguration)
    assert command.passphrase == PASSPHRASE
    assert command.decisions == (
        ItemDecision(kind=ItemKind.PLATFORM, key="p1", choice=ItemChoice.REPLACE, replaces="p9"),
    )
    assert "1 added, 1 replaced" in page.moving.banner.title


def test_platforms_without_a_password_are_named(
    qtbot: QtBot, page: SettingsPage, calm_door: ScriptedDoor, file: Path
) -> None:
    calm_door.answer(PlanImport, replace(PLAN, has_secrets=False))
    calm_door.answer(ImportConfiguration, replace(REPORT, without_password=("vc-prod",)))
    dialog = import_dialog(qtbot, page, file)
    assert not dialog.passphrase.isVisible()
    tick(dialog.stopped)
    click(dialog.primary)
    qtbot.waitUntil(page.moving.banner.isVisible)
    assert "vc-prod" in page.moving.banner.hint
    (command,) = sent(calm_door, ImportConfiguration)
    assert command.stopped
    assert command.passphrase is None
