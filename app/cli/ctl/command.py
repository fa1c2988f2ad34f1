"""``debugctl``: reads the command line, and loads what runs a command only when there is one to run."""

import io
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from app.cli.ctl.parser import ctl_parser
from app.core.streams import FAILED, guarded, say

if TYPE_CHECKING:
    from app.paths import Folders

USAGE = 2
_INTERRUPTED = 130


def run_ctl(arguments: Sequence[str], folders: "Folders | None" = None) -> int:
    """Run one command; return its exit status."""
    if sys.stdout is None:
        say("There is no standard output to answer to.")
        return FAILED
    try:
        chosen = ctl_parser().parse_args(arguments)
    except SystemExit as end:  # argparse has said what is wrong, or shown the help
        return end.code if isinstance(end.code, int) else USAGE
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name in Chinese must not end us on a console that has none
            stream.reconfigure(errors="backslashreplace")

    def run() -> int:
        try:
            status: int = import_module("app.cli.ctl.running").run_chosen(chosen, folders)
        except KeyboardInterrupt:
            return _INTERRUPTED
        return status

    return guarded(run)
