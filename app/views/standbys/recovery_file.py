"""Writes a recovery key as a page for the printer, and into a file that only its owner can read."""

from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QMarginsF
from PySide6.QtGui import QPageLayout, QPageSize, QPdfWriter, QTextDocument

from app.domain.errors import OperationalError
from app.views.widgets.private_file import write_private

_MARGIN_MM = 20.0


class RecoveryKeyNotWritten(OperationalError):
    """The file for a recovery key cannot be written."""

    code = "console.recovery_key_not_written"
    message_template = "The recovery key could not be written to {path}: {detail}."
    hint_template = "Choose another place, or copy the key; it is not shown again."


def pdf_of(html: str, title: str) -> bytes:
    """Return HTML as a PDF of A4 pages. Thread: GUI."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(buffer)
    writer.setTitle(title)
    writer.setPageLayout(
        QPageLayout(
            QPageSize(QPageSize.PageSizeId.A4),
            QPageLayout.Orientation.Portrait,
            QMarginsF(_MARGIN_MM, _MARGIN_MM, _MARGIN_MM, _MARGIN_MM),
            QPageLayout.Unit.Millimeter,
        )
    )
    document = QTextDocument()
    document.setHtml(html)
    document.print_(writer)
    del writer  # ends the file
    return bytes(buffer.data().data())


def write_recovery_key(path: Path, data: bytes) -> None:
    """Write a file that only this user can read, whole or not at all. Thread: any.

    Raises:
        RecoveryKeyNotWritten: the system refused.
    """
    write_private(path, data, RecoveryKeyNotWritten)
