"""Saving an export as an operator does, and reading what came of it."""

import csv
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialogButtonBox, QFileDialog, QLineEdit, QPushButton, QWidget


def save_in_dialog(owner: QWidget, file: Path) -> None:
    """Go to the file's folder in the dialog that is open, type its name, and save."""
    dialog = owner.findChildren(QFileDialog)[-1]
    line = dialog.findChild(QLineEdit, "fileNameEdit")
    assert isinstance(line, QLineEdit)
    dialog.setDirectory(str(file.parent))
    line.selectAll()
    QTest.keyClicks(line, file.name)
    completer = line.completer()
    files = completer.popup() if completer is not None else None
    if files is not None:  # the list of files would take the click
        files.hide()
    box = dialog.findChild(QDialogButtonBox)
    assert isinstance(box, QDialogButtonBox)
    save = box.button(QDialogButtonBox.StandardButton.Save)
    assert isinstance(save, QPushButton)
    QTest.mouseClick(save, Qt.MouseButton.LeftButton)


def read_csv(file: Path) -> list[list[str]]:
    """Return a file's rows, as a spreadsheet reads them."""
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    with file.open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.reader(opened))
