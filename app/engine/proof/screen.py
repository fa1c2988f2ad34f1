"""Whether the pictures of a VM's console are those of a guest system that came up: a decision without effects.

``docs/decisions/0031-booted-by-the-screen.md`` says why these signs, and what they cannot tell.
"""

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import Final

from app.core.png import GreyPicture

FIRMWARE_LOOKS: Final = 3
"""What is seen in the first looks after power-on is the firmware's, the boot loader's, or nothing."""
STILL_LOOKS: Final = 6
"""A screen that is the same for so many looks in a row stands still."""
WRITTEN_BYTES: Final = 256 * 1024
"""A system that runs has written so much to its disks; firmware and boot loaders write a sector or two."""

_COLUMNS: Final = 64
_LINES: Final = 40
_SHADES: Final = 12
"""Cells whose mean differs by no more are equal."""
_CELLS: Final = 0.02
"""Screens of which no larger part differs are equal: a cursor blinks, a clock goes on."""
_INK: Final = 0.002
"""Of a screen that shows something, at least so much is not background."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is compared of one picture."""

    width: int
    height: int
    cells: bytes
    is_blank: bool

    def is_like(self, other: "Look") -> bool:
        """Return whether both show the same screen."""
        if (self.width, self.height) != (other.width, other.height):
            return False
        different = sum(abs(one - two) > _SHADES for one, two in zip(self.cells, other.cells, strict=True))
        return different <= _CELLS * len(self.cells)


def look_at(picture: GreyPicture) -> Look:
    """Reduce a picture to what is compared."""
    background = Counter(picture.pixels).most_common(1)[0][1]
    is_blank = len(picture.pixels) - background < _INK * len(picture.pixels)
    columns, lines = min(_COLUMNS, picture.width), min(_LINES, picture.height)
    edges = [column * picture.width // columns for column in range(columns + 1)]
    cells = bytearray()
    for line in range(lines):
        top, bottom = line * picture.height // lines, (line + 1) * picture.height // lines
        sums = [0] * columns
        for number in range(top, bottom):
            row = picture.row(number)
            for column in range(columns):
                sums[column] += sum(row[edges[column] : edges[column + 1]])
        cells += bytes(
            total // ((edges[column + 1] - edges[column]) * (bottom - top)) for column, total in enumerate(sums)
        )
    return Look(picture.width, picture.height, bytes(cells), is_blank)


class ScreenSigns(Enum):
    """What the screen says so far."""

    NOTHING = "nothing"  # no picture could be taken or read
    BLANK = "blank"
    FIRMWARE = "firmware"  # it shows what the firmware or the boot loader showed
    CHANGES = "changes"
    STILL = "still"  # it shows something else than the firmware did, and stands still
    BOOTED = "booted"  # and the guest has written to its disks


class Screens:
    """Takes the pictures of one start, one after the other."""

    def __init__(self) -> None:
        self._firmware: list[Look] = []
        self._count = 0
        self._still = 0
        self._last: Look | None = None

    def take(self, look: Look | None, written_bytes: int) -> ScreenSigns:
        """Take the next look, and return what they say together.

        Args:
            look: None where no picture was taken, or it could not be read.
            written_bytes: what the guest has written to its disks until now.
        """
        self._count += 1
        if self._count <= FIRMWARE_LOOKS:
            if look is not None:
                self._firmware.append(look)
            self._last = look
            return self._begun(look)
        is_same = look is not None and self._last is not None and look.is_like(self._last)
        self._still = self._still + 1 if is_same else 1
        self._last = look
        if look is None:
            return ScreenSigns.NOTHING
        if look.is_blank:
            return ScreenSigns.BLANK
        if any(look.is_like(seen) for seen in self._firmware):
            return ScreenSigns.FIRMWARE
        if self._still < STILL_LOOKS:
            return ScreenSigns.CHANGES
        return ScreenSigns.BOOTED if written_bytes >= WRITTEN_BYTES else ScreenSigns.STILL

    @staticmethod
    def _begun(look: Look | None) -> ScreenSigns:
        if look is None:
            return ScreenSigns.NOTHING
        return ScreenSigns.BLANK if look.is_blank else ScreenSigns.FIRMWARE
