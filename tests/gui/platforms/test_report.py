"""The doctor's report: saved with one button, and said when it cannot be."""

import os
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from app.contract.doctor import ExaminePlatform, ReportPlatform
from app.domain.errors import PlatformUnreachable
from app.domain.ids import PlatformId
from app.views.console import Console
from app.views.widgets.findings import FindingsDialog
from tests.support.scripted_door import ScriptedDoor

PLATFORM = PlatformId("vc-1")
TEXT = "Standfast 0.1.0\nPlatform platform-1\n"


def opened(qtbot: QtBot, console: Console, door: ScriptedDoor, report: object = TEXT) -> FindingsDialog:
    door.answer(ExaminePlatform, ())
    door.answer(ReportPlatform, report)
    dialog = FindingsDialog(
        console, "Examine vc-1", ExaminePlatform(platform=PLATFORM), report=ReportPlatform(platform=PLATFORM)
    )
    qtbot.addWidget(dialog)
    dialog.open()
    return dialog


def save_to(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (path, ""))


def test_a_report_is_written_for_its_owner_alone(
    qtbot: QtBot, console: Console, door: ScriptedDoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "report.txt"
    save_to(monkeypatch, str(file))
    dialog = opened(qtbot, console, door)
    QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: str(file) in dialog.banner.title)
    assert file.read_text(encoding="utf-8") == TEXT
    assert os.name == "nt" or file.stat().st_mode & 0o077 == 0
    assert dialog.save.isEnabled()
    [query] = [asked for asked in door.asked if isinstance(asked, ReportPlatform)]
    assert query.blurs_names


def test_a_report_that_cannot_be_written_says_why(
    qtbot: QtBot, console: Console, door: ScriptedDoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_to(monkeypatch, str(tmp_path / "nowhere" / "report.txt"))
    dialog = opened(qtbot, console, door)
    QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "could not be written" in dialog.banner.title)
    assert dialog.save.isEnabled()


def test_a_platform_that_cannot_be_asked_leaves_no_file(
    qtbot: QtBot, console: Console, door: ScriptedDoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "report.txt"
    save_to(monkeypatch, str(file))
    dialog = opened(qtbot, console, door, PlatformUnreachable(address="vc-1", port=443, detail="x"))
    QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "vc-1" in dialog.banner.title)
    assert not file.exists()


def test_nothing_is_asked_when_no_file_is_chosen(
    qtbot: QtBot, console: Console, door: ScriptedDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_to(monkeypatch, "")
    dialog = opened(qtbot, console, door)
    QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    assert not [asked for asked in door.asked if isinstance(asked, ReportPlatform)]
