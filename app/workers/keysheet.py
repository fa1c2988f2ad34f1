"""A recovery key on paper and in a file that only its owner can read."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QMarginsF
from PySide6.QtGui import QPageLayout, QPageSize, QPdfWriter, QTextDocument

from app.core.privatefiles import create_private
from app.domain.errors import OperationalError

_MARGIN_MM = 20.0


class RecoveryKeyNotWritten(OperationalError):
    """The file for a recovery key cannot be written."""

    code = "console.recovery_key_not_written"
    message_template = "The recovery key could not be written to {path}: {detail}."
    hint_template = "Choose another place, or copy the key; it is not shown again."


def pdf_of(html: str, title: str) -> bytes:
    """Return a page for the printer. Thread: GUI."""
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


def save_privately(path: Path, data: bytes) -> None:
    """Write a file that only this user can read, whole or not at all. Thread: any.

    Raises:
        RecoveryKeyNotWritten: the system refused.
    """
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(16)}.new")
    try:
        file = create_private(scratch)
    except OSError as error:  # what is there under this name is not ours, so it stays
        raise RecoveryKeyNotWritten(path=path, detail=error.strerror or error) from error
    try:
        with file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        with suppress(OSError):
            scratch.unlink()
        raise RecoveryKeyNotWritten(path=path, detail=error.strerror or error) from error
