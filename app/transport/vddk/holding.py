"""Keeping a VM on its datastore while the library reads its disks, and what is left of that after a crash.

``PrepareForAccess`` switches Storage vMotion of a VM off in its vCenter, ``EndAccess`` on again; it stays off when
the program dies in between. What is held is therefore written down first, and let go before the next time on that
platform.

Sources: protocols page *vSphere facts*, "VDDK"; the chapter "Prepare For Access and End Access" of the *Virtual
Disk Programming Guide*: to be called before the snapshot and after its removal, and after a crash; an identity of
at most 50 characters; a single host refuses it.
"""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app.core.access import VddkLogin, VddkLogins
from app.core.cancel import CancelToken
from app.core.durable import replace_durably
from app.core.tasklog import TaskLog
from app.domain.errors import OperationalError
from app.domain.ids import VmId
from app.domain.reasons import reason_of
from app.transport import messages
from app.transport.errors import MalformedAnswer
from app.transport.options import TransportOptions
from app.transport.vddk.process import LibraryFailure, VddkProcess
from app.transport.vddk.session import LibraryInUse
from app.transport.vddk.wire import Work

_log = logging.getLogger(__name__)

IDENTITY: Final = "Standfast"
_Held = tuple[str, int, str]
"""Address and port of the platform, and the VM."""


class HeldVms:
    """Holds VMs, and remembers them in a file. Thread: any; ``_lock`` guards what is held."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._here: list[_Held] = []

    @contextmanager
    def holding(
        self,
        library: LibraryInUse,
        logins: VddkLogins,
        vm: VmId,
        *,
        options: TransportOptions,
        log: TaskLog,
        cancel: CancelToken,
    ) -> Iterator[None]:
        """Hold a VM inside the block; what does not work is only logged.

        Raises:
            TaskCancelled: cancelled on the way in.
        """
        runs = _Runs(library, options)
        held: _Held | None = None
        try:
            login = logins.vddk_login(vm)
            if login.holds_vms:
                self._let_go_of_left(runs, logins, login, log, cancel)
                held = (login.server, login.port, str(vm))
                self._note(held)
                runs.run(Work.HOLD, login, cancel)
                log.info(messages.VM_HELD)
        except (LibraryFailure, MalformedAnswer, OperationalError, OSError) as failure:
            log.warning(messages.VM_NOT_HELD, reason=reason_of(failure))
        try:
            yield
        finally:
            if held is not None:
                self._let_go(runs, logins, held, log)

    def left(self) -> list[tuple[str, int, str]]:
        """Return what earlier runs of the program have held and not let go: address, port and VM."""
        with self._lock:
            return [entry for entry in self._read() if entry not in self._here]

    def _let_go(self, runs: "_Runs", logins: VddkLogins, held: _Held, log: TaskLog) -> None:
        try:
            with self._lock:
                others = self._here.count(held) > 1
            if not others:
                runs.run(Work.LET_GO, logins.vddk_login(VmId(held[2])), CancelToken())
                log.info(messages.VM_LET_GO)
            self._forget(held, is_over=True)
        except (LibraryFailure, MalformedAnswer, OperationalError, OSError) as failure:
            log.warning(messages.VM_NOT_LET_GO, reason=reason_of(failure))
            self._forget(held, is_over=False)

    def _let_go_of_left(
        self, runs: "_Runs", logins: VddkLogins, login: VddkLogin, log: TaskLog, cancel: CancelToken
    ) -> None:
        """Let go of what a run that died has held on a platform, and have the library clean up behind it."""
        for entry in self.left():
            if entry[:2] != (login.server, login.port):
                continue
            counts = runs.run(Work.LET_GO, logins.vddk_login(VmId(entry[2])), cancel, cleans_up=True)
            if any(counts):
                log.info(messages.VDDK_CLEANED, cleaned=counts[0], remaining=counts[1])
            with self._lock:
                self._write([other for other in self._read() if other != entry])

    def _note(self, held: _Held) -> None:
        """Remember, durably, before anything is held.

        Raises:
            OSError: that is not possible.
        """
        with self._lock:
            self._here.append(held)
            self._write([*self._read(), held])

    def _forget(self, held: _Held, *, is_over: bool) -> None:
        with self._lock:
            self._here.remove(held)
            entries = self._read()
            if is_over and held in entries:
                entries.remove(held)
                self._write(entries)

    def _read(self) -> list[_Held]:
        try:
            rows = json.loads(self._file.read_text(encoding="utf-8"))
            return [(str(server), int(port), str(vm)) for server, port, vm in rows]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:
            _log.warning("what VDDK holds is not known: %s", error)
            return []

    def _write(self, entries: list[_Held]) -> None:
        replace_durably(self._file, json.dumps(entries).encode())


class _Runs:
    """Runs the library for one call that concerns a VM."""

    def __init__(self, library: LibraryInUse, options: TransportOptions) -> None:
        self._library = library
        self._options = options

    def run(
        self, work: Work, login: VddkLogin, cancel: CancelToken, *, cleans_up: bool = False
    ) -> tuple[int, int]:
        """Do it in a process of its own; return how many VMs were cleaned up, and how many remain.

        Raises:
            LibraryFailure, MalformedAnswer: it could not be done.
            TaskCancelled: cancelled meanwhile.
        """
        begin = self._library.begin_as(login, work, identity=IDENTITY, cleans_up=cleans_up)
        process = VddkProcess(self._library.command, begin.library, cancel)
        try:
            answer, _ = process.begin(begin, within_s=self._options.library_open_s)
            return answer.first, answer.second
        finally:
            process.wait(within_s=self._options.close_timeout_s)
