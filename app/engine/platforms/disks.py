"""Opening a VM's disks over the transports for the length of a block."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import replace

from app.core.access import AttachedDisks, DiskAccess, DiskAddress, DiskTransports, HoldsVms
from app.core.context import TaskContext
from app.core.disks import DiskReader, DiskWriter
from app.core.hypervisor import Hypervisor
from app.core.patience import Patience
from app.domain.ids import VmId
from app.domain.states import TransportMode
from app.engine.platforms.following import DiskPlaces, FollowingReader


class DiskOpener:
    """Opens disks of one platform for one task. Thread: one."""

    def __init__(
        self,
        hypervisor: Hypervisor,
        transports: DiskTransports,
        preferred: tuple[TransportMode, ...],
        context: TaskContext,
        patience: Patience,
        attached: AttachedDisks | None,
    ) -> None:
        """Prepare; ``patience`` is how to wait for a platform that is away, ``attached`` what attaches disks."""
        self._hypervisor = hypervisor
        self._transports = transports
        self._preferred = preferred
        self._context = context
        self._patience = patience
        self._attached = attached
        self._places = DiskPlaces(hypervisor, patience, context.log)
        self._kept: tuple[DiskAddress, FollowingReader] | None = None

    @contextmanager
    def reader(self, address: DiskAddress, *, keep: bool = False) -> Iterator[DiskReader]:
        """Open a disk for reading; it is followed where the platform moves it.

        Args:
            address: of the disk.
            keep: True leaves it open for whoever reads it next, until another is opened or :meth:`let_go`.

        Raises:
            NoTransportAvailable: no mode reaches it.
            SnapshotGone, VmNotFound: it is not there any more.
            TaskCancelled: cancelled meanwhile.
        """
        reader = self._take_kept(address) or FollowingReader(self._open_reader, self._places, address)
        with ExitStack() as stack:
            stack.callback(reader.close)
            yield reader
            if keep:
                stack.pop_all()
                self._kept = address, reader

    def let_go(self) -> None:
        """Close the disk that was kept open: from now on it may be deleted or merged."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept[1].close()

    def _take_kept(self, address: DiskAddress) -> FollowingReader | None:
        if self._kept is None or self._kept[0] != address:
            self.let_go()
            return None
        (_, reader), self._kept = self._kept, None
        return reader

    def _open_reader(self, address: DiskAddress) -> DiskReader:
        return self._patience.through(
            lambda: self._transports.open_reader(
                self._access(),
                address,
                preferred=self._preferred,
                log=self._context.log,
                cancel=self._context.cancel,
            )
        )

    @contextmanager
    def writer(self, address: DiskAddress) -> Iterator[DiskWriter]:
        """Open a disk of a powered-off VM for writing, where it is now.

        Raises:
            NoTransportAvailable: no mode reaches it.
            VmNotFound: it is not there any more.
            TaskCancelled: cancelled meanwhile.
        """
        writer, _ = self._places.opened(self._open_writer, address)
        with closing(writer):
            yield writer

    def _open_writer(self, address: DiskAddress) -> DiskWriter:
        return self._patience.through(
            lambda: self._transports.open_writer(
                self._access(),
                address,
                preferred=self._preferred,
                log=self._context.log,
                cancel=self._context.cancel,
            )
        )

    def _access(self) -> DiskAccess:
        return replace(self._hypervisor.disk_access, hotadd=self._attached)


def holding(
    transports: DiskTransports,
    hypervisor: Hypervisor,
    vm: VmId,
    preferred: tuple[TransportMode, ...],
    context: TaskContext,
) -> AbstractContextManager[None]:
    """Prepare a VM for the modes that want to know of it before its snapshot, and end that after its removal.

    Raises:
        TaskCancelled: cancelled on the way in.
    """
    if not isinstance(transports, HoldsVms):
        return nullcontext()
    return transports.holding(
        hypervisor.disk_access, vm, preferred=preferred, log=context.log, cancel=context.cancel
    )
