"""Why a restore point counts as proven, or why it does not."""

from collections.abc import Mapping
from typing import Final

from app.domain.messages import MessageKind
from app.engine.proof.screen import ScreenSigns

TOOLS_RUN: Final = MessageKind("proof.tools_run", "the tools in the guest report that the system runs")
SCREEN_STANDS: Final = MessageKind(
    "proof.screen_stands", "the console shows a system that came up, and it writes to its disks"
)
TOOLS_SILENT: Final = MessageKind(
    "proof.tools_silent",
    "the tools in the guest did not report within {minutes} {minutes:minute/minutes} that the system runs",
)
NO_SIGN: Final[Mapping[ScreenSigns, MessageKind]] = {
    ScreenSigns.NOTHING: MessageKind(
        "proof.no_picture_read",
        "within {minutes} {minutes:minute/minutes} no picture of the console could be read",
    ),
    ScreenSigns.BLANK: MessageKind(
        "proof.console_black", "the console shows nothing after {minutes} {minutes:minute/minutes}"
    ),
    ScreenSigns.FIRMWARE: MessageKind(
        "proof.console_firmware",
        "after {minutes} {minutes:minute/minutes} the console still shows what it showed right after the start",
    ),
    ScreenSigns.CHANGES: MessageKind(
        "proof.console_changes",
        "after {minutes} {minutes:minute/minutes} the console does not stand still yet",
    ),
    ScreenSigns.STILL: MessageKind(
        "proof.console_still",
        "the console stands still, but within {minutes} {minutes:minute/minutes} no system wrote to the disks",
    ),
}
"""What is said when the time is up, by what the screen says then."""
SYSTEMS: Final = MessageKind("proof.systems", "{disk}: {systems}")
"""Names of the file systems that are in order on a disk."""
STRUCTURE_READ: Final = MessageKind("proof.structure_read", "{found} (not started: {why})")
STRUCTURE_BROKEN: Final = MessageKind("proof.structure_broken", "{problem} (not started: {why})")
NOTHING_FOUND: Final = MessageKind(
    "proof.nothing_found", "no file system was found on its disks (not started: {why})"
)
OUT_OF_RANGE: Final = MessageKind("proof.out_of_range", "a limit of the proof is out of its range")
