"""Connects to the engine, runs one command, and says by the exit status how it ended."""

import io
import sys
from argparse import Namespace
from collections.abc import Sequence

from app.cli.ctl.parser import ctl_parser
from app.cli.ctl.screen import Screen
from app.contract.client import attach
from app.contract.errors import EngineAway
from app.core.streams import FAILED, guarded, say
from app.domain.errors import OperationalError
from app.paths import Folders, find_folders

USAGE, NO_ENGINE = 2, 3
_INTERRUPTED = 130


def run_ctl(arguments: Sequence[str], folders: Folders | None = None) -> int:
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
            return _run(chosen, Screen(as_json=chosen.json), folders)
        except KeyboardInterrupt:
            return _INTERRUPTED

    return guarded(run)


def _run(chosen: Namespace, screen: Screen, folders: Folders | None) -> int:
    try:
        with attach((folders or find_folders()).data) as door:
            status: int = chosen.run(door, screen, chosen)
    except EngineAway as error:
        screen.remark(str(error))
        return NO_ENGINE
    except OperationalError as error:
        screen.remark(str(error))
        return FAILED
    except UnicodeDecodeError:
        screen.remark("What was given on standard input is not UTF-8.")
        return FAILED
    return status
