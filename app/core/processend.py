"""The end of a process, which no thread that hangs can hold up."""

import logging
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NoReturn

_log = logging.getLogger(__name__)

LAST_MOMENT_S: Final = 20.0
"""How long the program may take to end once that is wanted."""


def end_process(status: int) -> NoReturn:
    """End this process with a status, in order where that is possible.

    The interpreter would wait for every thread that is no daemon. One that is stuck in the system, at a share that
    does not answer, would keep the process for ever; then the process ends without it.

    Raises:
        SystemExit: no thread is left that would have to be waited for.
    """
    stuck = [
        thread.name
        for thread in threading.enumerate()
        if thread is not threading.main_thread() and not thread.daemon
    ]
    if stuck:
        end_without(stuck, status)
    sys.exit(status)


def end_without(stuck: Sequence[str], status: int) -> NoReturn:
    """End this process at once with a status, and say in the log which threads hang."""
    _log.warning("ending without threads that hang: %s", ", ".join(sorted(stuck)))
    _end_now(status)


def end_at_the_latest(status: int, within_s: float = LAST_MOMENT_S) -> threading.Timer:
    """End this process after a while, whatever hangs; cancel the timer when it has ended what it had to."""

    def end() -> None:
        _log.error("the end took longer than %g s; what is not finished is settled at the next start", within_s)
        _end_now(status)

    timer = threading.Timer(within_s, end)
    timer.name = "last-moment"
    timer.daemon = True
    timer.start()
    return timer


def _end_now(status: int) -> NoReturn:
    for handler in logging.getLogger().handlers:
        with suppress(Exception):  # whatever a log does at the end must not keep the process
            handler.flush()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            if stream is not None:
                stream.flush()
    os._exit(status)
