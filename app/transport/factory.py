"""The transports that this program brings along, behind the port that the engine uses."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import NoReturn

from app.core.access import AccessMode, Attachment, DiskAccess, DiskAddress
from app.core.cancel import CancelToken
from app.core.disks import DiskReader, DiskWriter
from app.core.tasklog import TaskLog
from app.domain.ids import VmId
from app.domain.messages import MessageKind
from app.domain.states import PLAIN_MODES, TransportMode
from app.domain.vddk import VddkLibrary
from app.domain.words import Done
from app.transport import messages
from app.transport.attempt import not_offered
from app.transport.hotadd.held import HeldDisk, let_go
from app.transport.hotadd.machine import GuestMachine
from app.transport.hotadd.reader import HotAddReader
from app.transport.hotadd.writer import HotAddWriter
from app.transport.https import HttpsReader
from app.transport.negotiation import NATIVE_MODES, Opener, negotiate
from app.transport.nfc.channel import NfcChannel
from app.transport.nfc.dialer import NfcDialer
from app.transport.nfc.reader import NfcReader
from app.transport.nfc.writer import NfcWriter
from app.transport.nfs.reader import NfsReader
from app.transport.options import TransportOptions
from app.transport.reasons import NO_FILES, NO_HOTADD, NO_NFS, NO_TICKETS, NOT_LOCAL, READS_ONLY
from app.transport.vddk.folder import NOT_TAKEN, VddkUnusable
from app.transport.vddk.service import VDDK_MODES, Vddk


class NativeTransports:
    """Opens disks; fulfils ``DiskTransports``, ``HoldsVms`` and ``ExaminesVddk`` of :mod:`app.core.access`.

    Attributes:
        options: how disks are opened from now on.

    Thread: any; it holds nothing else.
    """

    def __init__(
        self,
        options: TransportOptions | None = None,
        vddk: Vddk | None = None,
        machine: GuestMachine | None = None,
    ) -> None:
        """Prepare.

        Args:
            options: how disks are opened.
            vddk: VMware's library, where the operator may name one; its HotAdd goes before ours.
            machine: where this program runs, by default looked at below ``/``.
        """
        self.options = options or TransportOptions()
        self._vddk = vddk
        self._machine = machine or GuestMachine()

    def let_go(self, attachment: Attachment, log: TaskLog) -> None:
        """Let the operating system forget a disk that is about to be detached; never raises."""
        let_go(self._machine, attachment, log)

    def use_transfer_buffer(self, transfer_buffer_bytes: int) -> None:
        """Let disks that are opened from now on have such a buffer; those that are open keep theirs.

        Raises:
            ValueError: it is smaller than a sector.
        """
        self.options = replace(self.options, transfer_buffer_bytes=transfer_buffer_bytes)

    def examine_vddk(self, folder: str) -> VddkLibrary:
        """Return VMware's library in a folder, after it was loaded in a process of its own.

        Raises:
            VddkUnusable: there is none that can be used; the reason is in the message.
        """
        if self._vddk is None:
            raise VddkUnusable(folder=folder, detail=NOT_TAKEN)
        return self._vddk.examine(folder)

    def holding(
        self,
        access: DiskAccess,
        vm: VmId,
        *,
        preferred: Iterable[TransportMode],
        log: TaskLog,
        cancel: CancelToken,
    ) -> AbstractContextManager[None]:
        """Keep a VM on its datastore inside the block, where a preferred mode of VMware's library needs it.

        Raises:
            TaskCancelled: cancelled on the way in.
        """
        if self._vddk is None:
            return nullcontext()
        return self._vddk.holding(access, vm, preferred=preferred, options=self.options, log=log, cancel=cancel)

    def open_reader(
        self,
        access: DiskAccess,
        disk: DiskAddress,
        *,
        preferred: Iterable[TransportMode],
        log: TaskLog,
        cancel: CancelToken,
    ) -> DiskReader:
        """Open a disk for reading, trying ``preferred`` in order.

        Raises:
            NoTransportAvailable: none works; the reasons are in the message.
            HostCertificateMismatch, CertificateChanged: someone else answers; nothing else is tried.
            PlatformUnreachable, LoginRefused: the platform itself cannot be asked, whatever the mode.
            TaskCancelled: cancelled meanwhile.
        """

        def over_nfc(mode: TransportMode) -> DiskReader:
            return NfcReader(self._channel(access, disk, AccessMode.READ, mode, log, cancel))

        def over_https() -> DiskReader:
            if access.https is None:
                raise not_offered(disk, TransportMode.HTTPS, Done.READ, NO_FILES)
            return HttpsReader(
                access.https, disk, options=self.options, log=log, cancel=cancel, patience=access.patience
            )

        def over_nfs() -> DiskReader:
            if access.nfs is None:
                raise not_offered(disk, TransportMode.NFS, Done.READ, NO_NFS)
            return NfsReader(access.nfs, disk, options=self.options, log=log, cancel=cancel)

        def attached() -> DiskReader:
            held = self._attached(access, disk, AccessMode.READ, log, cancel)
            return HotAddReader(held, options=self.options, cancel=cancel)

        openers: dict[TransportMode, Opener[DiskReader]] = {
            TransportMode.HOTADD: attached,
            TransportMode.NFC_SSL: lambda: over_nfc(TransportMode.NFC_SSL),
            TransportMode.NFC: lambda: over_nfc(TransportMode.NFC),
            TransportMode.HTTPS: over_https,
            TransportMode.NFS: over_nfs,
            TransportMode.LOCAL: lambda: _refuse(disk, TransportMode.LOCAL, Done.READ, NOT_LOCAL),
        }
        vddk = self._vddk
        if vddk is not None and vddk.is_chosen:
            openers |= {
                mode: partial(vddk.open_reader, access, disk, mode, options=self.options, log=log, cancel=cancel)
                for mode in VDDK_MODES
            }
        mode, reader = negotiate(
            disk.path, preferred, openers, allows_plain=access.allows_plain, log=log, cancel=cancel
        )
        log.info(messages.READING_OVER, path=disk.path, mode=mode.name)
        _caution(disk, mode, log)
        return reader

    def open_writer(
        self,
        access: DiskAccess,
        disk: DiskAddress,
        *,
        preferred: Iterable[TransportMode],
        log: TaskLog,
        cancel: CancelToken,
    ) -> DiskWriter:
        """Open a disk of a powered-off VM for writing, trying ``preferred`` in order.

        Raises:
            NoTransportAvailable: none works; the reasons are in the message.
            HostCertificateMismatch, CertificateChanged: someone else answers; nothing else is tried.
            PlatformUnreachable, LoginRefused: the platform itself cannot be asked, whatever the mode.
            TaskCancelled: cancelled meanwhile.
        """

        def over_nfc(mode: TransportMode) -> DiskWriter:
            return NfcWriter(self._channel(access, disk, AccessMode.WRITE, mode, log, cancel))

        def attached() -> DiskWriter:
            held = self._attached(access, disk, AccessMode.WRITE, log, cancel)
            return HotAddWriter(held, options=self.options, cancel=cancel)

        openers: dict[TransportMode, Opener[DiskWriter]] = {
            TransportMode.HOTADD: attached,
            TransportMode.NFC_SSL: lambda: over_nfc(TransportMode.NFC_SSL),
            TransportMode.NFC: lambda: over_nfc(TransportMode.NFC),
            TransportMode.HTTPS: lambda: _refuse(disk, TransportMode.HTTPS, Done.WRITTEN, READS_ONLY),
            TransportMode.NFS: lambda: _refuse(disk, TransportMode.NFS, Done.WRITTEN, READS_ONLY),
            TransportMode.LOCAL: lambda: _refuse(disk, TransportMode.LOCAL, Done.WRITTEN, NOT_LOCAL),
        }
        vddk = self._vddk
        if vddk is not None and vddk.is_chosen:
            openers |= {
                mode: partial(vddk.open_writer, access, disk, mode, options=self.options, log=log, cancel=cancel)
                for mode in VDDK_MODES
            }
        mode, writer = negotiate(
            disk.path, preferred, openers, allows_plain=access.allows_plain, log=log, cancel=cancel
        )
        log.info(messages.WRITING_OVER, path=disk.path, mode=mode.name)
        _caution(disk, mode, log)
        return writer

    def _attached(
        self, access: DiskAccess, disk: DiskAddress, permission: AccessMode, log: TaskLog, cancel: CancelToken
    ) -> HeldDisk:
        if access.hotadd is None:
            raise not_offered(disk, TransportMode.HOTADD, _done(permission), NO_HOTADD)
        return HeldDisk(access.hotadd, disk, permission, machine=self._machine, log=log, cancel=cancel)

    def _channel(
        self,
        access: DiskAccess,
        disk: DiskAddress,
        permission: AccessMode,
        mode: TransportMode,
        log: TaskLog,
        cancel: CancelToken,
    ) -> NfcChannel:
        if access.nfc is None:
            raise not_offered(disk, mode, _done(permission), NO_TICKETS)
        return NfcChannel(
            NfcDialer(access.nfc, disk, permission, mode, options=self.options, log=log, cancel=cancel)
        )


def _done(permission: AccessMode) -> Done:
    return Done.READ if permission is AccessMode.READ else Done.WRITTEN


def _refuse(disk: DiskAddress, mode: TransportMode, operation: Done, detail: MessageKind) -> NoReturn:
    raise not_offered(disk, mode, operation, detail)


def _caution(disk: DiskAddress, mode: TransportMode, log: TaskLog) -> None:
    """Say what an operator should know of the mode that was taken."""
    if mode in NATIVE_MODES:
        log.info(messages.NATIVE_NFC_UNSUPPORTED)
    if mode in PLAIN_MODES:
        log.warning(messages.DATA_NOT_ENCRYPTED, path=disk.path, mode=mode.name)
