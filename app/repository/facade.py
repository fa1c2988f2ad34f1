"""The public entry to a repository: one object per standby path and process."""

import os
import uuid
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from blake3 import blake3

from app.core.clock import Clock
from app.core.durable import plain_path, remove_directory, remove_directory_tree
from app.domain.errors import OperationalError
from app.domain.extents import Extent
from app.domain.ids import PointId, VmId
from app.domain.messages import Message
from app.domain.restore_point import RestorePoint
from app.repository import layout as names
from app.repository.access import RepositoryAccess, master_of
from app.repository.configuration import RepositoryFile, read_repository_file
from app.repository.consoles import Consoles
from app.repository.creation import create_repository
from app.repository.crypto import RepositoryKeys
from app.repository.errors import RepositoryExists, RepositoryMissing
from app.repository.files import free_bytes, refuse_foreign_names, refuse_links, storage_errors
from app.repository.healing import learn_damage, lost_extents
from app.repository.keys import KeyRing, Protection, RepositoryKey
from app.repository.layout import Layout
from app.repository.leases import Lease, LeaseKind, Leases
from app.repository.locator import Locator
from app.repository.maintenance import Maintenance
from app.repository.parts import RepositoryParts, decoder_with
from app.repository.pinning import keep_point, open_held, open_pinned
from app.repository.pins import Pins
from app.repository.points import StoredPoints
from app.repository.reader import PointReader
from app.repository.reasons import PinPurpose, Purpose
from app.repository.recoveries import RecoveryFolders
from app.repository.sealedpacks import SealedPacks
from app.repository.seals import Seal, Seals
from app.repository.sharing import SharedLease
from app.repository.staging import adopt_abandoned
from app.repository.store import RecordLost, RecordStore
from app.repository.trash import Trash, TrashedPoint
from app.repository.values import PointDraft, PointListing, RepositorySettings
from app.repository.writer import PointWriter

_DEFAULT_SETTINGS = RepositorySettings()
SHARED_WAIT_S = 30.0
"""How long a backup or a restore waits for garbage collection to let it in."""


def _locator_name(root: Path, repository_id: uuid.UUID) -> str:
    """Name the folder of a repository's locator on this machine.

    A copy of a repository has the id of the original: only with the root does the name stand for one set of packs.
    """
    place = os.path.normcase(os.path.realpath(root))
    return f"{repository_id}-{blake3(os.fsencode(place)).hexdigest()[:16]}"


class Repository:
    """All restore points at one standby path.

    Several processes, on several machines, may have the same repository open. Thread: any; the readers and
    writers it gives out each belong to one thread at a time.
    """

    def __init__(
        self,
        root: Path,
        file: RepositoryFile,
        key: RepositoryKey | None,
        *,
        local_dir: Path,
        clock: Clock,
        holder: str | None = None,
    ) -> None:
        """Use :meth:`create`, :meth:`open` or :meth:`open_or_create` instead."""
        settings = file.settings()
        refuse_foreign_names(root)
        with storage_errors(root):
            refuse_links(Layout(root).directories)
        master = master_of(root, file, key)
        self._encryption = file.encryption
        keys = None if master is None else RepositoryKeys(master)
        repository_id = uuid.UUID(file.id)
        layout = Layout(root)
        locators = local_dir / "locators"
        with suppress(OSError):  # of earlier versions
            remove_directory_tree(locators / str(repository_id))
        locator = Locator(locators / _locator_name(root, repository_id), str(repository_id))
        packs = SealedPacks(layout, repository_id.bytes, locator, partial(decoder_with, keys))
        self._clock = clock
        self._layout = layout
        mark = holder or uuid.uuid4().hex
        self.parts = RepositoryParts(
            layout=layout,
            repository_id=repository_id,
            locator=locator,
            packs=packs,
            store=RecordStore(packs, locator),
            stored_points=StoredPoints(layout, str(repository_id), keys),
            pins=Pins(layout, clock, mark),
            consoles=Consoles(layout, str(repository_id), keys, clock, mark),
            keys=keys,
            chunk_bytes=settings.chunk_bytes,
            frame_bytes=settings.frame_bytes,
            pack_bytes=settings.pack_bytes,
            pack_version=file.pack_version,
            level=settings.compression_level,
        )
        """What its readers and writers share; for this package."""
        self.recoveries = RecoveryFolders(layout)
        """What VMs write that run from its points."""
        self._leases = Leases(layout, clock)
        self.pins = self.parts.pins
        """Which points are in use for long."""
        self.consoles = self.parts.consoles
        """Whose rules write here."""
        self._trash = Trash(layout, self.parts.stored_points, self.pins)
        self._shared = SharedLease(
            self._acquire_shared, self._clean_staging, partial(self._acquire_shared, wait_s=0.0)
        )
        self.maintenance = Maintenance(self.parts, self._trash, self._leases, clock, self._shared.held_for_reading)
        """Figures, garbage collection, verification and repair."""
        self.access = RepositoryAccess(KeyRing(root, layout.keys, file.id), master, clock, self._shared.held)
        """The keys that open it."""

    @classmethod
    def create(
        cls,
        root: Path,
        settings: RepositorySettings = _DEFAULT_SETTINGS,
        *,
        local_dir: Path,
        clock: Clock,
        passphrase: str | None = None,
        hide_names: bool = False,
        protection: Protection | None = None,
    ) -> Self:
        """Make a new repository in a directory, which is created when its parent exists.

        With a passphrase it is encrypted; print a recovery key then. ``hide_names`` also keeps rules,
        VMs and addresses out of the names of directories. A ``protection`` stands for both: it has the seals of a
        passphrase that no one has to type again.

        Raises:
            RepositoryExists: there is one already.
            FileNamesNotUtf8: this process would write names that no other machine can read.
            StandbyFull, StandbyUnavailable: the standby refuses.
            LocatorUnavailable: the local disk refuses.
        """
        if passphrase is not None:
            protection = Protection(Seals(Seal.of_passphrase(passphrase)), hide_names=hide_names)
        key = create_repository(root, settings, protection, clock.now())
        return cls.open(root, local_dir=local_dir, clock=clock, key=key)

    @staticmethod
    def exists_at(root: Path) -> bool:
        """Return whether a directory is a repository, without opening it; False when it cannot be looked at."""
        try:
            return Layout(root).settings.is_file()
        except OSError:
            return False

    @classmethod
    def open(
        cls,
        root: Path,
        *,
        local_dir: Path,
        clock: Clock,
        key: RepositoryKey | None = None,
        holder: str | None = None,
    ) -> Self:
        """Open the repository in a directory.

        ``holder`` tells this console from every other in its pins, also when it is started again; without it no
        later process knows them for its own.

        Raises:
            RepositoryMissing: there is none.
            RepositoryTooNew, RepositoryDamaged: it cannot be understood.
            LinkRefused: one of its directories is a link.
            FileNamesNotUtf8: this process would write names that no other machine can read.
            KeyNeeded, KeyWrong: it is encrypted.
            StandbyUnavailable: the standby cannot be read.
            LocatorUnavailable: the local disk refuses.
        """
        return cls(root, read_repository_file(root), key, local_dir=local_dir, clock=clock, holder=holder)

    @classmethod
    def open_or_create(
        cls,
        root: Path,
        settings: RepositorySettings = _DEFAULT_SETTINGS,
        *,
        local_dir: Path,
        clock: Clock,
        key: RepositoryKey | None = None,
        protection: Protection | None = None,
        holder: str | None = None,
    ) -> Self:
        """Open the repository in a directory, or make a new one where there is none: encrypted with a protection.

        Raises:
            RepositoryTooNew, RepositoryDamaged: it cannot be understood.
            KeyNeeded, KeyWrong: it is encrypted.
            StandbyFull, StandbyUnavailable: the standby refuses.
            LocatorUnavailable: the local disk refuses.
        """
        try:
            return cls.open(root, local_dir=local_dir, clock=clock, key=key, holder=holder)
        except RepositoryMissing:
            with suppress(RepositoryExists):
                key = create_repository(root, settings, protection, clock.now()) or key
            return cls.open(root, local_dir=local_dir, clock=clock, key=key, holder=holder)

    @property
    def is_encrypted(self) -> bool:
        """Return whether everything in it is encrypted."""
        return self._encryption is not None

    @property
    def hides_names(self) -> bool:
        """Return whether the names of directories say nothing about rules and VMs."""
        return self._encryption is not None and self._encryption.hidden_names

    @property
    def id(self) -> str:
        """The repository's own UUID."""
        return str(self.parts.repository_id)

    @property
    def root(self) -> Path:
        """The standby path."""
        return self._layout.root

    @property
    def chunk_bytes(self) -> int:
        """Unit of deduplication."""
        return self.parts.chunk_bytes

    def free_bytes(self) -> int | None:
        """Return the free bytes at the standby path, or None when the system does not know."""
        return free_bytes(self._layout.root)

    def take_leftovers(self) -> dict[Path, Message]:
        """Return what could not be deleted and was not yet returned, each path with the system's reason."""
        return {plain_path(path): reason for path, reason in self.parts.leftovers.take_news().items()}

    def points(self) -> PointListing:
        """Return all restore points, by chain, the newest first.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        return self.parts.stored_points.list_all()

    def chain_points(self, chain: str) -> tuple[RestorePoint, ...]:
        """Return the readable restore points of one chain, the newest first.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        return self.parts.stored_points.list_chain(chain).points

    def chain_name(self, rule_name: str, vm: VmId, platform_address: str) -> str:
        """Return the name of the chain that holds the points of a VM in a rule.

        Where another chain is there whose name many file systems take for the same, it gets a name of its own.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        name = names.chain_name(rule_name, vm, platform_address)
        if self.hides_names and self.parts.keys is not None:
            return self.parts.keys.hidden_name(name)
        return names.free_chain_name(
            name, names.chain_name_apart(rule_name, vm, platform_address), self.parts.stored_points.chains()
        )

    def begin_point(self, draft: PointDraft) -> PointWriter:
        """Begin a restore point.

        Raises:
            RulesTakenOver: another console took the rules of this one over.
            RepositoryBusy: garbage collection is under way.
            StandbyFull, StandbyUnavailable: the standby refuses.
            LocatorUnavailable: the local disk refuses.
        """
        lease = self._shared.enter()
        try:
            self.consoles.refuse_taken_over()
            adopt_abandoned(self.parts, self._leases, lease)
            self.parts.packs.synchronize()
            facts = draft.facts
            chain = draft.chain or self.chain_name(draft.rule_name, facts.vm, facts.platform_address)
            return PointWriter(self.parts, draft, chain, lease, self._shared.leave)
        except BaseException:
            self._shared.leave()
            raise

    def open_point(self, point: PointId) -> PointReader:
        """Open a restore point for reading; a standby that cannot be written, or is full, is no obstacle.

        Raises:
            PointMissing, PointDamaged: it cannot be read.
            RepositoryBusy: garbage collection is under way.
            StandbyUnavailable: the standby cannot be read.
        """
        problem = self._shared.enter_reading()
        try:
            self.parts.packs.allow_synchronization()
            found = self.parts.stored_points.load(point)
            return PointReader(self.parts, found, self._shared.leave, without_lease=problem)
        except BaseException:
            self._shared.leave()
            raise

    def open_pinned(self, point: PointId, purpose: PinPurpose) -> PointReader:
        """Open a restore point for reading as long as anybody likes: garbage collection runs beside it.

        Where no pin can be written it is read like with :meth:`open_point`.

        Raises:
            PointMissing, PointDamaged: it cannot be read.
            RepositoryBusy: garbage collection is under way.
            StandbyUnavailable: the standby cannot be read.
        """
        return open_pinned(self.parts, self._shared, self._leases, point, purpose)

    def open_held(self, point: PointId) -> PointReader:
        """Open a restore point that another process of this console has pinned, for as long as anybody likes.

        Raises:
            PointNotPinned: nobody keeps it.
            PinUnreadable, WrittenByNewer: that is not known.
            PointMissing, PointDamaged: it cannot be read.
            StandbyUnavailable: the standby cannot be read.
        """
        return open_held(self.parts, point)

    def keep_point(self, point: PointId, purpose: PinPurpose) -> str:
        """Pin a restore point for work that outlives this process, and return the pin's id; end it with ``pins``.

        Raises:
            PointMissing, PointDamaged: it cannot be read.
            RepositoryBusy: garbage collection is under way.
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        return keep_point(self.parts, self._shared, self._leases, point, purpose).id

    def delete_point(self, point: PointId) -> None:
        """Move a restore point to the trash; a damaged one too.

        Raises:
            RulesTakenOver: another console took the rules of this one over.
            PointPinned: somebody uses it for long.
            PinUnreadable, WrittenByNewer: it is not known whether somebody does.
            PointMissing: there is no such point.
            RepositoryBusy: garbage collection is under way.
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        with self._shared.held():
            self.consoles.refuse_taken_over()
            self._leases.with_free_space(lambda: self._trash.put(point, self._clock.now()))

    def deleted_points(self) -> tuple[TrashedPoint, ...]:
        """Return the points in the trash, the one deleted last first.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        return self._trash.entries()

    def take_back_point(self, point: PointId) -> RestorePoint:
        """Move a deleted restore point back from the trash.

        Raises:
            RulesTakenOver: another console took the rules of this one over.
            PointMissing: it is not in the trash.
            PointExists: a point of that name is there.
            RepositoryBusy: garbage collection is under way.
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        with self._shared.held():
            self.consoles.refuse_taken_over()
            self._leases.with_free_space(lambda: self._trash.take_back(point))
            return self.parts.stored_points.load(point)

    def lost_extents(self, point: PointId, disk_key: int) -> list[Extent]:
        """Return the parts of a point's disk that no pack holds; a backup on top of it has to read them too.

        Raises:
            PointMissing, PointDamaged: the point cannot be read.
            DataDamaged: the disk's index cannot be read; only a full backup helps.
            RepositoryBusy: garbage collection is under way.
            StandbyUnavailable: the standby is gone.
        """
        with self._shared.held():
            self.parts.packs.synchronize()
            return lost_extents(self.parts, point, disk_key)

    def learn_damage(self, error: OperationalError) -> None:
        """Forget what is damaged around the record that an error of this repository is about, if it is about one.

        Whoever stores the same bytes after that stores them anew, instead of pointing to what cannot be read.

        Raises:
            RepositoryBusy: garbage collection is under way.
            StandbyUnavailable: the standby is gone.
            LocatorUnavailable: the local disk refuses.
        """
        if isinstance(error.__cause__, RecordLost):
            with self._shared.held():
                learn_damage(self.parts, error.__cause__)

    def publish_rules(self, rules: bytes) -> None:
        """Keep the copy of this console's rules; see :class:`app.repository.consoles.Consoles`.

        Raises:
            RulesTakenOver: they are another console's now.
            RepositoryBusy: garbage collection is under way.
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        with self._shared.held():
            self._leases.with_free_space(lambda: self.consoles.publish(rules))

    def other_hosts(self) -> frozenset[str]:
        """Return the names of the machines on which other programs use the repository right now.

        Raises:
            StandbyUnavailable: the standby cannot be read.
        """
        return self._leases.other_hosts()

    def take_over(self, console: str) -> None:
        """Make a console stop writing here, and this one the owner of its rules.

        No garbage is collected meanwhile, so that none of that console's is under way afterwards.

        Raises:
            ValueError: that is no mark of another console.
            RepositoryBusy: garbage collection is under way.
            StandbyFull, StandbyUnavailable: the standby refuses.
        """
        with self._shared.held():
            self._leases.with_free_space(lambda: self.consoles.take_over(console))

    def _acquire_shared(self, wait_s: float | None = None) -> Lease:
        patience_s = SHARED_WAIT_S if wait_s is None else wait_s
        lease = self._leases.acquire(LeaseKind.SHARED, Purpose.WORK.value, wait_s=patience_s)
        self._leases.keep_reserve()
        return lease

    def _clean_staging(self, lease: Lease) -> None:
        self.parts.packs.close()  # garbage collection elsewhere may delete packs now; do not keep their space
        self._leases.keep_reserve()
        with suppress(OSError):
            remove_directory(self._layout.staging / lease.id)

    def close(self) -> None:
        """Release all files; readers and writers that are still open must be closed before."""
        self.parts.packs.close()
        self.parts.locator.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
