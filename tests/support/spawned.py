"""Processes to be killed where there is no ``fork``: what ``forked.py`` gives, each started from nothing."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import IO

from tests.support.forked import ROOT, Forked, ForkingPython


class Spawned(Forked):
    """A process that runs the module; :meth:`kill` ends it as Windows does it, with TerminateProcess."""

    def __init__(self, process: "subprocess.Popen[str]", errors: IO[bytes]) -> None:
        assert process.stdout is not None
        self._process = process
        self.pid = process.pid
        self.stdout = process.stdout
        self.errors = errors
        self.returncode: int | None = None

    def kill(self) -> None:
        """Kill it; nothing happens when it has ended."""
        self._process.kill()

    def wait(self, timeout_s: float) -> int:
        """Wait for its end; return its status.

        Raises:
            TimeoutError: it still runs.
        """
        try:
            self.returncode = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"process {self.pid} still runs") from error
        return self.returncode


class SpawningPython(ForkingPython):
    """Runs one module again and again, one process at a time. Thread: one."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._latest: Forked | None = None

    def start(self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> Forked:
        """Start the module with arguments, in this process's environment with some variables changed."""
        self.close()
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        with tempfile.TemporaryFile() as given:
            given.write(stdin)
            given.seek(0)
            process = subprocess.Popen(
                [sys.executable, "-m", self._module, *arguments],
                cwd=ROOT,
                env={**os.environ, **(environment or {})},
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
            )
        self._latest = Spawned(process, errors)
        return self._latest
