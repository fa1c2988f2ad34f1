"""The engine as a process of its own, which this window starts, watches, starts again and ends.

The child lives as long as its standard input is open. The system closes it when this process dies, however that
happens and on every platform, so no engine is left without a window. What the child is given, and answers, is in
``app.contract.launch``.
"""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, Self

import msgspec

from app.console.errors import ENDED, EngineDidNotStart
from app.contract.errors import EngineBusy
from app.contract.launch import CHILD_OPTION, EngineLaunch, Outcome, encode_line, read_outcome
from app.core.childprocess import child_flags
from app.domain.errors import OperationalError
from app.domain.reasons import reason_of
from app.paths import program_command

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 30.0
_CALM_S: Final = 60.0
"""An engine that ran for so long is started again at once."""
_END_S: Final = 22.0
"""How long an engine may take to end; it sees to 20 s itself."""
_OUTPUT_S: Final = 1.0
"""Its last words may take so long; a program that it started may hold its output open for ever."""


class EngineProcess:
    """One engine in a child process; a context manager that ends it in order. Thread: any."""

    def __init__(self, launch: EngineLaunch) -> None:
        self._launch = launch
        self._changed = threading.Condition()
        self._closing = False
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher = threading.Thread(target=self._watch, name="engine-process", daemon=True)

    @classmethod
    def start(cls, launch: EngineLaunch) -> Self:
        """Start the engine, wait until its door is open, and watch over it from then on.

        Raises:
            EngineBusy: another process holds the catalog.
            EngineDidNotStart: it ended without a word.
            OperationalError: what the engine met.
        """
        made = cls(launch)
        made._process = made._started()
        # What was chosen about the catalog is done; an engine that is started again must not do it again.
        made._launch = msgspec.structs.replace(launch, catalog=None)
        made._watcher.start()
        return made

    @property
    def pid(self) -> int | None:
        """Process id of the engine; None while there is none."""
        with self._changed:
            return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the engine in order: running tasks stop and clean up; returns when it has ended."""
        with self._changed:
            self._closing = True
            process = self._process
            self._changed.notify_all()
        if process is not None:
            _end(process)
        if self._watcher.ident is not None:
            self._watcher.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # --- starting ----------------------------------------------------------------------------------------------

    def _started(self) -> subprocess.Popen[bytes]:
        try:
            process = _spawn()
        except OSError as error:
            raise EngineDidNotStart(detail=reason_of(error)) from error
        try:
            outcome = self._outcome(process)
            if outcome is None:
                raise EngineDidNotStart(detail=ENDED.fill(status=process.wait()))
            outcome.raise_error()
        except BaseException:
            _end(process)
            _note_lines(process)
            raise
        return process

    def _outcome(self, process: subprocess.Popen[bytes]) -> Outcome | None:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(OSError):  # it has ended already, which its output says
            process.stdin.write(encode_line(self._launch))
            process.stdin.flush()
        for line in process.stdout:
            outcome = read_outcome(line)
            if outcome is not None:
                return outcome
            _note_line(line)
        return None

    # --- watching ----------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while (process := self._process) is not None:
            began = time.monotonic()
            output = threading.Thread(target=_note_lines, args=(process,), name="engine-output", daemon=True)
            output.start()
            status = process.wait()
            _end(process)
            output.join(_OUTPUT_S)
            with self._changed:
                self._process = None
                if self._closing:
                    return
            _log.error("the engine ended with status %d and is started again", status)
            if time.monotonic() - began > _CALM_S:
                pause_s = _FIRST_PAUSE_S
            pause_s = self._start_again(pause_s)

    def _start_again(self, pause_s: float) -> float:
        """Try until there is an engine, or none is wanted; return how long to wait before the next try."""
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._closing, pause_s):
                    return pause_s
            pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s)
            try:
                process = self._started()
            except EngineBusy as error:
                _log.info("another engine took over: %s", error)
                return pause_s
            except OperationalError as error:
                _log.error("the engine could not be started again: %s", error)
                continue
            with self._changed:
                self._process = process
                is_unwanted = self._closing
            if is_unwanted:
                _end(process)
            _log.info("the engine was started again as process %d", process.pid)
            return pause_s


def _spawn() -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own program
        program_command("--headless", CHILD_OPTION),
        env=_environment(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # Ctrl+C in a terminal is the window's: it ends the engine in its own time.
        process_group=None if sys.platform == "win32" else 0,
        # The window has to stay quick while the engine takes all the processor it can get.
        creationflags=child_flags(own_group=True, low_priority=True),
    )


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Return the child's environment.

    A packaged program may live in a folder that is removed when the first process ends; the engine outlives a
    killed window for the time it needs to clean up, so it takes a folder of its own.
    """
    return {**ours, "PYINSTALLER_RESET_ENVIRONMENT": "1"}


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with suppress(OSError):  # what is still unwritten has no reader any more
        process.stdin.close()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        _log.warning("the engine did not end within %g s and was killed", _END_S)
        process.kill()
        process.wait()


def _note_lines(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            _note_line(line)


def _note_line(line: bytes) -> None:
    text = line.decode("utf-8", errors="replace").rstrip()
    if text:
        _log.warning("the engine said: %s", text)
