"""Tables as files that spreadsheets open: CSV in UTF-8 with a byte order mark, by which Excel knows it.

A text that a spreadsheet would take for a formula gets an apostrophe in front, also after a ``;``, a tab or a line
break inside it, where spreadsheets of other countries begin another cell. What cannot be seen gets a mark. Numbers
are written plain, without separators or units; moments are ISO 8601 in the given zone with their offset; spans are
seconds.
"""

import csv
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from types import TracebackType
from typing import Final, TextIO

from app.core.durable import replace, scratch_path_for, unlink
from app.core.privatefiles import create_private_text
from app.domain.display import visible

Cell = str | int | float | datetime | timedelta | None

_FORMULA: Final = re.compile(r"""(^|[;；\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029])([\s"'\ufeff]*)(?=[=+\-@＝＋－＠])""")
"""What begins a formula, at the start of a text or of what a spreadsheet may split off. The full-width signs count
too: spreadsheets of Chinese and Japanese systems fold them into the narrow ones."""
_SPLITTING: Final = ("\t", "\r", "\n")


def harmless(text: str) -> str:
    """Keep a spreadsheet from taking a VM's name for a formula, and make what is hidden in it visible."""
    guarded = _FORMULA.sub(r"\1\2'", text)
    if text.startswith(_SPLITTING) and not guarded.startswith("'"):
        guarded = f"'{guarded}"
    return visible(guarded)


def cell_text(cell: Cell, zone: tzinfo | None = None) -> str:
    """Return a value as it stands in the file; ``zone`` None is the machine's."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return harmless(cell)
    if isinstance(cell, datetime):
        return cell.astimezone(zone).isoformat(timespec="seconds")
    if isinstance(cell, timedelta):
        cell = cell.total_seconds()
    if isinstance(cell, float):
        return f"{cell:.3f}".rstrip("0").rstrip(".")
    return str(cell)


class SheetFile:
    """A table that is being written; it appears under its name when it is complete, or not at all.

    As a context manager it is kept when the block ends and thrown away when the block raises. Thread: any, one at
    a time.
    """

    def __init__(self, path: Path, zone: tzinfo | None = None) -> None:
        """Begin a file next to ``path``; a file that is there stays until :meth:`keep`.

        Raises:
            OSError: the system refuses.
        """
        self.path = path
        self._zone = zone
        self._scratch = scratch_path_for(path)
        self._file: TextIO = create_private_text(self._scratch, encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self._file)

    def write(self, rows: Iterable[Iterable[Cell]]) -> None:
        """Add rows.

        Raises:
            OSError: the system refuses; the file should be thrown away.
        """
        self._writer.writerows([cell_text(cell, self._zone) for cell in row] for row in rows)

    def keep(self) -> None:
        """Put the file under its name.

        Raises:
            OSError: the system refuses; nothing is left behind.
        """
        try:
            with self._file:
                self._file.flush()
                os.fsync(self._file.fileno())
            replace(self._scratch, self.path)
        except BaseException:  # whatever stopped us, a half-written file must not stay
            self.discard()
            raise

    def discard(self) -> None:
        """Throw the file away; nothing happens when it was kept or thrown away already."""
        with suppress(OSError):  # a full disk refuses what was buffered once more
            self._file.close()
        with suppress(OSError):
            unlink(self._scratch)

    def __enter__(self) -> "SheetFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.keep()
        else:
            self.discard()
