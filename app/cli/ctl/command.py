"""Connects to the engine, runs one command, and says by the exit status how it ended."""

import io
import os
import sys
from argparse import Namespace
from collections.abc import Sequence

from app.cli.ctl.parser import ctl_parser
from app.cli.ctl.screen import Screen
from app.domain.errors import OperationalError
from app.engine.api import EngineAway
from app.engine.remote.client import attach
from app.paths import Folders, find_folders

FAILED, USAGE, NO_ENGINE = 1, 2, 3
_INTERRUPTED = 130


def run_ctl(arguments: Sequence[str], folders: Folders | None = None) -> int:
    """Run one command; return its exit status."""
    try:
        chosen = ctl_parser().parse_args(arguments)
    except SystemExit as end:  # argparse has said what is wrong, or shown the help
        return end.code if isinstance(end.code, int) else USAGE
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name in Chinese must not end us on a console that has none
            stream.reconfigure(errors="backslashreplace")
    screen = Screen(as_json=chosen.json)
    try:
        return _run(chosen, screen, folders or find_folders())
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # whoever read our output has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _run(chosen: Namespace, screen: Screen, folders: Folders) -> int:
    try:
        with attach(folders.data) as door:
            status: int = chosen.run(door, screen, chosen)
    except EngineAway as error:
        screen.remark(str(error))
        return NO_ENGINE
    except OperationalError as error:
        screen.remark(str(error))
        return FAILED
    return status
