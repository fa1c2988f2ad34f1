"""Which library is used, and opening disks by it."""

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

from app.core.access import AccessMode, DiskAccess, DiskAddress, VddkLogins
from app.core.cancel import CancelToken
from app.core.durable import replace_durably
from app.core.privatefiles import make_private_folders
from app.core.tasklog import TaskLog
from app.domain.errors import OperationalError
from app.domain.ids import VmId
from app.domain.messages import MessageKind, Sayable
from app.domain.reasons import reason_of
from app.domain.states import TransportMode
from app.domain.vddk import VddkLibrary
from app.domain.words import Done
from app.transport import messages
from app.transport.attempt import not_offered
from app.transport.errors import MalformedAnswer
from app.transport.options import TransportOptions
from app.transport.vddk.folder import DOES_NOT_LOAD, DOES_NOT_START, VddkUnusable, examine
from app.transport.vddk.holding import HeldVms
from app.transport.vddk.process import LibraryFailure, LibraryRefusal, VddkProcess
from app.transport.vddk.reader import VddkReader
from app.transport.vddk.session import TRANSPORTS, LibraryInUse, VddkDisk
from app.transport.vddk.wire import Work
from app.transport.vddk.writer import VddkWriter

VDDK_MODES: Final = frozenset(TRANSPORTS)
NO_LOGINS: Final = MessageKind("vddk.no_logins", "the platform gives no login for VDDK")
SAN_READS: Final = MessageKind(
    "vddk.san_reads", "writing over SAN would need a snapshot on the VM that is restored, which is not made"
)
_BUFFERS: Final = 4
_UNIT_BYTES: Final = 64 * 1024


class Vddk:
    """VMware's library, if the operator has named one. Thread: any; ``_lock`` guards what is open."""

    def __init__(self, command: Sequence[str], folder: Path, chosen: Callable[[], str]) -> None:
        """Nothing is looked at yet.

        Args:
            command: what starts this program as a process of the library.
            folder: for the library's configuration and temporary files, and what is held; made when needed.
            chosen: returns the folder that the operator has named; empty when there is none.
        """
        self._command = tuple(command)
        self._folder = folder
        self._chosen = chosen
        self._held = HeldVms(folder / "held.json")
        self._lock = threading.Lock()
        self._open = 0

    @property
    def is_chosen(self) -> bool:
        """Whether the operator has named a library."""
        return bool(self._chosen())

    def examine(self, folder: str) -> VddkLibrary:
        """Return the library of a folder, after it was loaded and started in a process of its own.

        Raises:
            VddkUnusable: it cannot be used; the reason is in the message.
        """
        options = TransportOptions()
        library = self._in_use(folder, options)
        name = Path(library.found.library.file).name
        try:
            process = VddkProcess(self._command, library.found.library.file, CancelToken())
            try:
                process.begin(library.begin(Work.LOAD), within_s=options.handshake_timeout_s)
            finally:
                process.wait(within_s=options.close_timeout_s)
        except LibraryRefusal as refusal:
            loaded = refusal.function != "load"
            reason = DOES_NOT_START.fill(file=name, reason=refusal) if loaded else _not_loaded(name, refusal)
            raise VddkUnusable(folder=folder, detail=reason) from refusal
        except (LibraryFailure, MalformedAnswer) as failure:
            reason = DOES_NOT_START.fill(file=name, reason=failure)
            raise VddkUnusable(folder=folder, detail=reason) from failure
        return library.found.library

    def open_reader(
        self,
        access: DiskAccess,
        disk: DiskAddress,
        mode: TransportMode,
        *,
        options: TransportOptions,
        log: TaskLog,
        cancel: CancelToken,
    ) -> VddkReader:
        """Open a disk for reading.

        Raises:
            OperationalError: it cannot be opened in this mode.
            TaskCancelled: cancelled meanwhile.
        """
        return VddkReader(self._disk(access, disk, AccessMode.READ, mode, options, log, cancel))

    def open_writer(
        self,
        access: DiskAccess,
        disk: DiskAddress,
        mode: TransportMode,
        *,
        options: TransportOptions,
        log: TaskLog,
        cancel: CancelToken,
    ) -> VddkWriter:
        """Open a disk of a powered-off VM for writing.

        Raises:
            OperationalError: it cannot be opened in this mode.
            TaskCancelled: cancelled meanwhile.
        """
        if mode is TransportMode.SAN:
            raise not_offered(disk, mode, Done.WRITTEN, SAN_READS)
        return VddkWriter(self._disk(access, disk, AccessMode.WRITE, mode, options, log, cancel))

    def holding(
        self,
        access: DiskAccess,
        vm: VmId,
        *,
        preferred: Iterable[TransportMode],
        options: TransportOptions,
        log: TaskLog,
        cancel: CancelToken,
    ) -> AbstractContextManager[None]:
        """Keep a VM on its datastore inside the block, where one of the library's modes is preferred.

        Raises:
            TaskCancelled: cancelled on the way in.
        """
        chosen = self._chosen()
        if not chosen or access.vddk is None or VDDK_MODES.isdisjoint(preferred):
            return nullcontext()
        try:
            library = self._in_use(chosen, options)
        except OperationalError:
            return nullcontext()  # said when the first disk is opened
        return self._held.holding(library, access.vddk, vm, options=options, log=log, cancel=cancel)

    def _disk(
        self,
        access: DiskAccess,
        disk: DiskAddress,
        permission: AccessMode,
        mode: TransportMode,
        options: TransportOptions,
        log: TaskLog,
        cancel: CancelToken,
    ) -> VddkDisk:
        operation = Done.READ if permission is AccessMode.READ else Done.WRITTEN
        logins: VddkLogins | None = access.vddk
        if logins is None:
            raise not_offered(disk, mode, operation, NO_LOGINS)
        try:
            library = self._in_use(self._chosen(), options)
        except VddkUnusable as unusable:
            raise not_offered(disk, mode, operation, unusable) from unusable
        with self._lock:
            self._open += 1
        opened = VddkDisk(
            library, logins, disk, permission, mode, options=options, log=log, cancel=cancel, leave=self._leave
        )
        log.info(messages.VDDK_USED, version=library.found.library.version)
        return opened

    def _leave(self) -> bool:
        """Note that a disk is closed; return whether it was the last one.

        No source says whether the library's clean-up leaves alone what another living process has open. So it is
        only asked to when there is none.
        """
        with self._lock:
            self._open -= 1
            return not self._open

    def _in_use(self, folder: str, options: TransportOptions) -> LibraryInUse:
        """Return the library of a folder with its configuration written.

        Raises:
            VddkUnusable: there is none.
        """
        found = examine(folder)
        temporary, config = self._folder / "tmp", self._folder / "vddk.conf"
        try:
            make_private_folders(temporary)
            replace_durably(config, configuration(temporary, options.transfer_buffer_bytes).encode())
        except OSError as error:
            raise VddkUnusable(folder=str(self._folder), detail=reason_of(error)) from error
        return LibraryInUse(command=self._command, found=found, config=str(config))


def configuration(temporary: Path, buffer_bytes: int) -> str:
    """Return the library's configuration file.

    Its buffers for NFC are memory of the ESXi host; together they are no more than the transfer buffer of a task,
    which is what the budget of a host is counted in.

    Sources: *Virtual Disk Programming Guide*, "Initialize Virtual Disk API" (``tmpDirectory``, which has to stay
    the same from run to run); public configurations of other programs (``nfcAio``).
    """
    units = max(1, buffer_bytes // _UNIT_BYTES)
    count = min(_BUFFERS, units)
    return (
        f'tmpDirectory="{temporary}"\n'
        "vixDiskLib.transport.LogLevel=2\n"
        f"vixDiskLib.nfcAio.Session.BufSizeIn64KB={units // count}\n"
        f"vixDiskLib.nfcAio.Session.BufCount={count}\n"
    )


def _not_loaded(name: str, refusal: LibraryRefusal) -> Sayable:
    return DOES_NOT_LOAD.fill(file=name, details=refusal.said().details)
