"""Draws the program's icon into a file of Windows, in every size; run in ``.venv``, without a screen."""

import struct
import sys
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice
from PySide6.QtWidgets import QApplication

from app.views.frame.brand import program_pixmap

SIZES = (16, 20, 24, 32, 40, 48, 64, 128, 256)


def icon_bytes(pictures: dict[int, bytes]) -> bytes:
    """Return the content of an ``.ico`` file with PNG pictures, by their sides in pixels."""
    head = struct.pack("<HHH", 0, 1, len(pictures))
    entry = struct.Struct("<BBBBHHII")
    offset = len(head) + entry.size * len(pictures)
    entries = b""
    for side, picture in pictures.items():
        entries += entry.pack(side % 256, side % 256, 0, 0, 1, 32, len(picture), offset)
        offset += len(picture)
    return head + entries + b"".join(pictures.values())


def drawn(side: int) -> bytes:
    """Return the program's icon as a PNG picture."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    program_pixmap(side).save(buffer, "PNG")
    return bytes(buffer.data().data())


def main(file: Path) -> None:
    """Write the icon."""
    application = QApplication(sys.argv[:1])
    file.write_bytes(icon_bytes({side: drawn(side) for side in SIZES}))
    del application


if __name__ == "__main__":
    main(Path(sys.argv[1]))
