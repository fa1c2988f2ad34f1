"""Processes that begin with everything imported: each is forked from one that has imported it once.

A test that kills an engine at each of its steps starts an engine for each of them, and importing it takes longer
than what it does until it is killed. So one process imports a module and forks whenever it is to be run; what is
forked runs it as ``python -m MODULE ARGUMENTS`` would, with a pid, streams and an environment of its own, and is
killed like any other process.
"""

import importlib
import json
import os
import runpy
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
_LONGEST = 1 << 17
"""Of the arguments and the environment, in bytes."""
_NUMBER = struct.Struct("i")


class Forked:
    """A process that runs the module, with what it prints; ``errors`` has what it writes to its standard error."""

    def __init__(self, line: socket.socket, pid: int, stdout: IO[str], errors: IO[bytes]) -> None:
        self._line = line
        self.pid = pid
        self.stdout = stdout
        self.errors = errors
        self.returncode: int | None = None

    def kill(self) -> None:
        """Kill it with SIGKILL; nothing happens when it has ended."""
        os.kill(self.pid, signal.SIGKILL)  # until the next one begins, the number is its own

    def wait(self, timeout_s: float) -> int:
        """Wait for its end; return its status, which is the negative number of a signal that killed it.

        Raises:
            TimeoutError: it still runs.
        """
        if self.returncode is None:
            self._line.settimeout(timeout_s)
            (self.returncode,) = _NUMBER.unpack(self._line.recv(_NUMBER.size))
        return self.returncode

    def close(self) -> None:
        """Make sure that it has ended."""
        if self.returncode is None:
            self.kill()
            self.wait(60)
        self.stdout.close()
        self.errors.close()


class ForkingPython:
    """Runs one module again and again, one process at a time. Thread: one."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._latest: Forked | None = None

    def start(self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> Forked:
        """Start the module with arguments, in this process's environment with some variables changed."""
        if self._latest is not None:
            self._latest.close()
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        reading, writing = os.pipe()
        with tempfile.TemporaryFile() as given:
            given.write(stdin)
            given.seek(0)
            request = json.dumps([arguments, {**os.environ, **(environment or {})}]).encode()
            assert len(request) < _LONGEST
            socket.send_fds(self._line, [request], [given.fileno(), writing, errors.fileno()])
        os.close(writing)
        self._line.settimeout(60)
        (pid,) = _NUMBER.unpack(self._line.recv(_NUMBER.size))
        self._latest = Forked(self._line, pid, os.fdopen(reading, encoding="utf-8"), errors)
        return self._latest

    def run(self, *arguments: str, stdin: bytes, timeout_s: float) -> "subprocess.CompletedProcess[str]":
        """Run the module to its end; it prints no more than a pipe takes."""
        process = self.start(*arguments, stdin=stdin)
        status = process.wait(timeout_s)
        process.errors.seek(0)
        stderr = process.errors.read().decode("utf-8", "replace")
        return subprocess.CompletedProcess(arguments, status, process.stdout.read(), stderr)

    def close(self) -> None:
        """Make sure that the latest process has ended."""
        if self._latest is not None:
            self._latest.close()


@contextmanager
def forking_python(module: str) -> Iterator[ForkingPython]:
    """Have a module imported for the time of the block; on Windows each process imports it."""
    if sys.platform == "win32":
        from tests.support.spawned import SpawningPython

        with closing(SpawningPython(module)) as spawning:
            yield spawning
        return
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        command = [sys.executable, "-m", "tests.support.forked", module, str(theirs.fileno())]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]) as server:
            theirs.close()
            forking = ForkingPython(ours)
            try:
                yield forking
            finally:
                forking.close()
                ours.close()
                server.wait(60)


# --- in the process that forks -----------------------------------------------------------------------------------


def _serve(module: str, line: socket.socket) -> list[str] | None:
    """Fork at each request; return the arguments in what was forked, and None at the end."""
    importlib.import_module(module)
    del sys.modules[module]  # it is to be run, as the main one
    ended: int | None = None
    while True:
        request, descriptors, _, _ = socket.recv_fds(line, _LONGEST, 3)
        if ended is not None:
            os.waitpid(ended, 0)
        if not request:
            return None
        pid = os.fork()
        if pid == 0:
            return _begin(json.loads(request), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        line.send(_NUMBER.pack(pid))
        # It stays a zombie until the next one, so that no other process gets the number meanwhile and is killed.
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert found is not None
        status = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
        ended = pid
        line.send(_NUMBER.pack(status))


def _begin(request: tuple[list[str], dict[str, str]], descriptors: list[int]) -> list[str]:
    """Take over the streams and the environment; return the arguments."""
    arguments, environment = request
    for place, descriptor in enumerate(descriptors):
        os.dup2(descriptor, place)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    return arguments


def _main(module: str, descriptor: str) -> None:
    with socket.socket(fileno=int(descriptor)) as line:
        arguments = _serve(module, line)
    if arguments is not None:
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
