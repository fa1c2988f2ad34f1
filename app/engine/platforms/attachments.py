"""Disks that are attached to the VM that this program runs in: noted before, detached whatever happens.

An entry of the journal names the VM by its instance UUID, the place on its controller, the file and the UUID of
the disk; only what fits all of them is ever detached, and no file is ever deleted. Three nets catch an attachment:
the transport that asked for it lets go of it; the journal remembers it across a crash; and what is left is
detached at the start, before a run and after a failure, and before the snapshot is removed whose file it is.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from app.core.access import (
    AccessMode,
    AttachedDisks,
    Attachment,
    DiskAddress,
    DiskAttacher,
    DiskTransports,
    LetsGoOfDisks,
)
from app.core.cancel import CancelToken
from app.core.clock import Clock
from app.core.context import TaskContext
from app.core.hypervisor import AttachesDisks, Hypervisor
from app.core.tasklog import SilentLog, TaskLog
from app.domain.errors import OperationalError
from app.domain.ids import PlatformId, TaskId
from app.engine.platforms import messages
from app.engine.ports import AttachmentJournal
from app.engine.program.settings import EngineSettings

_log = logging.getLogger(__name__)

_PROBE_PATIENCE_S = 30.0

LogOf = Callable[[TaskId], TaskLog]
"""Gives the log in which something about a task is said."""


@dataclass(frozen=True, slots=True)
class Owner:
    """For whom a disk is attached: a task, or a look at which ways to a disk are open."""

    key: TaskId
    log: TaskLog
    cancel: CancelToken
    patience_s: float
    """How long detaching is tried again; what is left then is detached later."""


class Attachments:
    """Attaches and detaches disks, each with an entry in the journal.

    Attributes:
        is_live: returns whether a task is running in this process.

    Thread: any. ``_turn`` is held while the VM that this program runs in is changed: two changes at a time would
    choose the same place, and a host refuses the second one.
    """

    def __init__(
        self,
        journal: AttachmentJournal,
        transports: DiskTransports,
        clock: Clock,
        settings: EngineSettings,
        *,
        is_live: Callable[[TaskId], bool],
    ) -> None:
        self._journal = journal
        self._transports = transports
        self._clock = clock
        self._settings = settings
        self._turn = threading.Lock()
        self._probes: set[TaskId] = set()
        self.is_live = is_live

    def for_task(self, hypervisor: Hypervisor, platform: PlatformId, context: TaskContext) -> AttachedDisks | None:
        """Return what attaches disks for a task, None where the platform cannot do that."""
        return self._for(
            hypervisor,
            platform,
            Owner(context.task, context.log, context.cancel, self._settings.snapshot_removal_deadline_s),
        )

    @contextmanager
    def for_probe(self, hypervisor: Hypervisor, platform: PlatformId) -> Iterator[AttachedDisks | None]:
        """Give what attaches disks for a look without a task, for the length of a block."""
        key = TaskId(str(uuid.uuid4()))
        self._probes.add(key)
        try:
            yield self._for(hypervisor, platform, Owner(key, SilentLog(), CancelToken(), _PROBE_PATIENCE_S))
        finally:
            self._probes.discard(key)

    def _for(self, hypervisor: Hypervisor, platform: PlatformId, owner: "Owner") -> AttachedDisks | None:
        if not isinstance(hypervisor, AttachesDisks):
            return None
        return _OwnersDisks(self, hypervisor.disk_attacher, platform, owner)

    def _lives(self, owner: TaskId) -> bool:
        return owner in self._probes or self.is_live(owner)

    def platforms(self) -> set[PlatformId]:
        """Return the platforms on which disks may be attached that no live task uses."""
        return {platform for task, platform, _ in self._journal.open_entries() if not self._lives(task)}

    def detach_left(self, hypervisor: Hypervisor, platform: PlatformId, *, log_of: LogOf) -> int:
        """Detach every disk on a platform that no live task uses; return how many there were.

        What cannot be detached is logged and stays in the journal.
        """
        left = [
            (task, attachment)
            for task, where, attachment in self._journal.open_entries()
            if where == platform and not self._lives(task)
        ]
        if not left or not isinstance(hypervisor, AttachesDisks):
            return 0
        attacher, detached = hypervisor.disk_attacher, 0
        for task, attachment in left:
            log = log_of(task)
            try:
                if isinstance(self._transports, LetsGoOfDisks):
                    self._transports.let_go(attachment, log)
                with self._turn:
                    was_there = attacher.detach(attachment)
            except OperationalError as error:
                log.error(messages.ATTACHMENT_LEFT, path=attachment.path, detail=error)
                continue
            self._close(task, attachment)
            if was_there:
                detached += 1
                log.info(messages.LEFT_DETACHED, path=attachment.path, machine=attachment.machine_name)
        return detached

    def attach(
        self,
        attacher: DiskAttacher,
        platform: PlatformId,
        owner: Owner,
        bios_uuids: Sequence[str],
        disk: DiskAddress,
        access: AccessMode,
        check: Callable[[Attachment], None],
    ) -> Attachment:
        """Plan, note and attach; see :class:`app.core.access.AttachedDisks`."""
        owner.cancel.check()
        planned: Attachment | None = None
        try:
            with self._turn:
                chosen = self._with_controller(attacher.plan(bios_uuids, disk, access))
                check(chosen)
                planned = chosen
                self._journal.opened(owner.key, platform, planned)
                attacher.attach(planned)
        except BaseException:  # also a bug or an interrupt must not leave a disk attached
            if planned is not None:
                self.detach(attacher, owner, planned)
            raise
        owner.log.info(
            messages.DISK_ATTACHED,
            path=planned.path,
            machine=planned.machine_name,
            bus=planned.bus,
            unit=planned.unit,
        )
        return planned

    def _with_controller(self, planned: Attachment) -> Attachment:
        """Note that a controller is ours which another attachment of ours has brought along."""
        shared = any(
            entry.owns_controller and (entry.machine_uuid, entry.bus) == (planned.machine_uuid, planned.bus)
            for _, _, entry in self._journal.open_entries()
        )
        return replace(planned, owns_controller=planned.owns_controller or shared)

    def detach(self, attacher: DiskAttacher, owner: Owner, attachment: Attachment) -> None:
        """Detach within a deadline of its own, also for a task that is cancelled."""
        with owner.cancel.shield():
            try:
                was_there = self._detached(attacher, owner, attachment)
            except OperationalError as error:
                owner.log.error(messages.ATTACHMENT_LEFT, path=attachment.path, detail=error)
                return
        self._close(owner.key, attachment)
        if was_there:
            owner.log.info(messages.DISK_DETACHED, path=attachment.path, machine=attachment.machine_name)

    def _detached(self, attacher: DiskAttacher, owner: Owner, attachment: Attachment) -> bool:
        """Detach, trying again until the deadline; return whether there was something to detach.

        Raises:
            OperationalError: it may still be attached.
        """
        pause_s = self._settings.snapshot_removal_pause_s
        deadline = self._clock.monotonic() + owner.patience_s
        while True:
            try:
                with self._turn:
                    return attacher.detach(attachment)
            except OperationalError as error:
                if not error.retryable or self._clock.monotonic() + pause_s >= deadline:
                    raise
                owner.log.warning(messages.DETACHING_AGAIN, path=attachment.path, detail=error)
            self._clock.sleep(pause_s)

    def _close(self, task: TaskId, attachment: Attachment) -> None:
        """Take what is detached out of the journal; an entry that stays for now does no harm."""
        try:
            self._journal.closed(task, attachment)
        except OperationalError as error:
            _log.error("the journal of attached disks could not be written: %s", error)


class _OwnersDisks:
    """The disks that are attached for one owner; fulfils ``AttachedDisks``. Thread: any."""

    def __init__(
        self, attachments: Attachments, attacher: DiskAttacher, platform: PlatformId, owner: Owner
    ) -> None:
        self._attachments = attachments
        self._attacher = attacher
        self._platform = platform
        self._owner = owner

    def attach(
        self,
        bios_uuids: Sequence[str],
        disk: DiskAddress,
        access: AccessMode,
        check: Callable[[Attachment], None],
    ) -> Attachment:
        """Attach a disk to the VM that this program runs in."""
        return self._attachments.attach(
            self._attacher, self._platform, self._owner, bios_uuids, disk, access, check
        )

    def detach(self, attachment: Attachment) -> None:
        """Detach it."""
        self._attachments.detach(self._attacher, self._owner, attachment)
