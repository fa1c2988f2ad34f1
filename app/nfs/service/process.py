"""The serving process as the engine sees it: started where it does not run, watched, and started again.

It is no child that ends with the engine: a VM may run from it.
"""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from app.core.childprocess import child_flags
from app.core.nfs3 import NFS_PORT, PORTMAP_PORT
from app.domain.errors import OperationalError
from app.domain.reasons import reason_of
from app.nfs.ports import port_problem
from app.nfs.service.control import Answer, Request, ServiceAway, ask, keyed
from app.nfs.service.exports import EXPORTS_FOLDER, ExportFolder

_log = logging.getLogger(__name__)

_START_S: Final = 20.0
_PAUSE_S: Final = 0.05
_WATCH_S: Final = 3.0

_started: dict[Path, list[subprocess.Popen[bytes]]] = {}
"""Those that this process started, by their folders. They go on without whoever started them; their objects
are kept here, and whoever stops one takes note of its end."""


class NfsServiceDidNotStart(OperationalError):
    """The process that serves VMs from restore points does not come up."""

    code = "nfs.service_did_not_start"
    message_template = "The service that runs VMs from restore points did not start: {detail}."
    hint_template = "Look into the log file of the program; restart it, and send the log where it happens again."


class NfsService:
    """Starts the serving process of a folder and watches over it. Thread: any."""

    def __init__(
        self,
        folder: Path,
        command: Sequence[str],
        keys: Callable[[], Mapping[str, bytes]],
        ports: tuple[int, int] = (NFS_PORT, PORTMAP_PORT),
    ) -> None:
        """Prepare.

        Args:
            folder: of the service: exports, lock, and where to ask it.
            command: starts the process; the folder is added.
            keys: returns the keys of encrypted repositories that are needed, by the ids of the repositories.
            ports: of NFS and of the port mapper, as the command has them.
        """
        self._ports = ports
        self._folder = folder
        self._command = [*command, str(folder)]
        self._keys = keys
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._watcher: threading.Thread | None = None
        self._started = _started.setdefault(folder, [])
        self._is_wanted = False
        """Whether the process is to run: a look asked for it, and no stop since."""

    @property
    def exports(self) -> ExportFolder:
        """What is to be served; :meth:`look` has it served."""
        return ExportFolder(self._folder / EXPORTS_FOLDER)

    def look(self) -> Answer:
        """Have what the files say served, by a process that is started where there is none; watch it from now on.

        Raises:
            NfsServiceDidNotStart: it does not come up.
        """
        with self._lock:
            self._is_wanted = True
            answer = self._asked()
            if self._watcher is None and not self._closing.is_set():
                self._watcher = threading.Thread(target=self._watch, name="nfs-service", daemon=True)
                self._watcher.start()
            return answer

    def status(self) -> Answer | None:
        """Return how things are; None while no process serves."""
        try:
            return ask(self._folder, Request())
        except ServiceAway:
            return None

    def port_problem(self) -> OperationalError | None:
        """Return what keeps the process from its ports, None when nothing does or it has them."""
        return None if self.status() is not None else port_problem(*self._ports)

    def stop(self) -> None:
        """End the process, where one serves; VMs that run from it stand still until it is started again."""
        with self._lock:
            self._is_wanted = False
            try:
                ask(self._folder, Request(stop=True))
            except ServiceAway:
                return
            finally:
                self._forget_ended(wait=True)

    def close(self) -> None:
        """Watch no more; the process goes on."""
        self._closing.set()
        if self._watcher is not None:
            self._watcher.join()
        self._forget_ended(wait=False)

    def _asked(self) -> Answer:
        request = keyed(self._keys())
        try:
            return ask(self._folder, request)
        except ServiceAway as away:
            _log.info("the NFS service is started: %s", away)
        self._forget_ended(wait=False)
        try:
            process = _spawn(self._command)
        except OSError as error:
            raise NfsServiceDidNotStart(detail=reason_of(error)) from error
        self._started.append(process)
        deadline = time.monotonic() + _START_S
        while True:
            try:
                return ask(self._folder, request)
            except ServiceAway as away:
                if time.monotonic() > deadline or self._closing.wait(_PAUSE_S):
                    raise NfsServiceDidNotStart(detail=str(away)) from away

    def _watch(self) -> None:
        while not self._closing.wait(_PAUSE_S):
            self._wait_for_end()
            with self._lock:
                if not self._closing.is_set() and self._is_wanted and self.status() is None:
                    self._start_again()

    def _start_again(self) -> None:
        _log.error("the NFS service does not answer and is started again")
        try:
            self._asked()
        except OperationalError as error:
            _log.error("the NFS service could not be started again: %s", error)

    def _wait_for_end(self) -> None:
        """Return when a process that this engine started has ended, or after a while."""
        deadline = time.monotonic() + _WATCH_S
        while time.monotonic() < deadline and not self._closing.wait(_PAUSE_S):
            if any(process.poll() is not None for process in tuple(self._started)):
                return

    def _forget_ended(self, *, wait: bool) -> None:
        """Take note of processes of ours that have ended."""
        for process in tuple(self._started):
            try:
                process.wait(_START_S if wait else 0)
            except subprocess.TimeoutExpired:
                if wait:
                    _log.warning("the NFS service did not end in time")
                continue
            self._started.remove(process)


def _spawn(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a process that neither this one's end nor a terminal's takes along."""
    return subprocess.Popen(  # noqa: S603 - our own program
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYINSTALLER_RESET_ENVIRONMENT": "1"},
        start_new_session=sys.platform != "win32",
        creationflags=child_flags(own_group=True),
        close_fds=True,
    )
