"""Seeded lives of a repository that is struck at any step, and what must be true afterwards.

Each case is one number: it chooses what the program does, what happens to the standby, and at which step.
"""

import errno
import os
import random
import shutil
import threading
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.disks import ReadRequest
from app.core.progress import Progress
from app.domain.errors import StandbyFull, StandbyUnavailable
from app.domain.extents import Extent
from app.domain.ids import PointId
from app.repository import (
    GarbageCollectionPolicy,
    PinListing,
    PinPurpose,
    PointReader,
    Repository,
    RepositorySettings,
    TrashedPoint,
    leases,
    pins,
)
from app.repository.errors import DataDamaged, GarbageCollectionUnsafe, PointPinned, RepositoryBusy
from app.repository.values import KIB, MIB
from tests.support.failing_storage import AtStep, FailingStorage, PowerCut, cut_at, refuse
from tests.unit.repository.helpers import MemoryDisk, back_up, random_bytes, read_back

SETTINGS = RepositorySettings(chunk_bytes=256 * KIB, frame_bytes=256 * KIB, pack_bytes=MIB)
AT_ONCE = GarbageCollectionPolicy(grace=timedelta(0))
EVERYTHING = GarbageCollectionPolicy(grace=timedelta(0), garbage_share=0.0, small_share=1.0)
FIXED_FILES = frozenset({"repository.json"})
ACTIONS = (
    "full",
    "incremental",
    "incremental",
    "delete",
    "delete",
    "take back",
    "garbage collection",
    "garbage collection",
    "verify",
    "pin",
    "pin",
    "let go",
)
REFUSALS = {
    "full disk": errno.ENOSPC,
    "broken disk": errno.EIO,
    "read-only": errno.EROFS,
    "permission lost": errno.EACCES,
}
FATES = (*["power cut"] * 6, *["killed"] * 3, "share gone", *REFUSALS)
_DISK_BYTES = 6 * 256 * KIB
_STEPS = 120
"""About as many as a few actions take at most; the step that is struck is chosen below it."""


class HastyClock(SystemClock):
    """The machine's clock, for tests in which no one else is there to wait for; never the same second twice."""

    def __init__(self) -> None:
        self._seconds = 0
        self._slept_s = 0.0

    def monotonic(self) -> float:
        """Return the machine's stopwatch, put forward by all that was slept."""
        return super().monotonic() + self._slept_s

    def now(self) -> datetime:
        self._seconds += 1
        return datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=self._seconds)

    def sleep(self, seconds: float) -> None:
        """Go on at once."""
        self._slept_s += seconds


@dataclass
class Life:
    """What is known of a repository from outside."""

    contents: dict[str, bytes] = field(default_factory=dict)
    """What each moment's point holds, by rule and moment, whether or not it was committed."""
    committed: set[PointId] = field(default_factory=set)
    deleted: set[PointId] = field(default_factory=set)
    doubtful: set[PointId] = field(default_factory=set)
    """Points whose deletion or return was under way when it happened."""
    number: int = 0


@dataclass
class Tally:
    """What the cases amounted to."""

    cases: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    points: int = 0
    steps: int = 0


class Case:
    """One case. Use once."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.folder = folder
        self.dice = random.Random(seed)
        self.life = Life()
        self.clock = HastyClock()
        self.may_misread = False
        """Reading may be refused for a moment, which looks like damage."""
        self.readers: list[PointReader] = []
        """Those that read with a pin."""
        self.disk = MemoryDisk(random_bytes(_DISK_BYTES, seed % 7))

    def open(self, local: str = "local") -> Repository:
        """Open the repository, or make it."""
        return Repository.open_or_create(
            self.folder / "standby", SETTINGS, local_dir=self.folder / local, clock=self.clock, holder="this one"
        )

    # --- what the program does -----------------------------------------------------------------------------------

    def act(self, repository: Repository, action: str) -> None:
        """Do one thing, and note it before and after."""
        life = self.life
        if action in ("full", "incremental"):
            self.back_up(repository, incremental=action == "incremental")
        elif action == "delete" and life.committed - life.doubtful:
            point = self.dice.choice(sorted(life.committed - life.doubtful))
            life.doubtful.add(point)
            try:
                repository.delete_point(point)
            except PointPinned:
                assert any(reader.point.id == point for reader in self.readers)
                life.doubtful.discard(point)
                return
            assert not any(pin.point == point for pin in repository.pins.listing().pins), "a pinned point went"
            life.committed.discard(point)
            life.deleted.add(point)
            life.doubtful.discard(point)
        elif action == "take back" and life.deleted - life.doubtful:
            point = self.dice.choice(sorted(life.deleted - life.doubtful))
            life.doubtful.add(point)
            repository.take_back_point(point)
            life.deleted.discard(point)
            life.committed.add(point)
            life.doubtful.discard(point)
        elif action == "garbage collection":
            policy = self.dice.choice((AT_ONCE, EVERYTHING))
            life.committed -= life.doubtful  # what may lie in the trash may be collected
            life.doubtful |= life.deleted
            life.deleted.clear()
            repository.maintenance.collect_garbage(policy, progress=Progress(), cancel=CancelToken(), wait_s=0)
            life.doubtful -= {point for point in life.doubtful if point not in life.committed}
        elif action == "verify":
            report = repository.maintenance.verify_everything(progress=Progress(), cancel=CancelToken())
            assert report.whole or self.may_misread, report
        elif action == "pin" and life.committed - life.doubtful:
            point = self.dice.choice(sorted(life.committed - life.doubtful))
            self.readers.append(repository.open_pinned(point, PinPurpose.OFFER))
        elif action == "let go" and self.readers:
            self.readers.pop(self.dice.randrange(len(self.readers))).close()

    def read_on(self) -> None:
        """Read a piece of every pinned point, whatever was collected since it was opened."""
        for reader in self.readers:
            content = self.life.contents[reader.point.id.split("/")[1]]
            start = self.dice.randrange(_DISK_BYTES - 4 * KIB)
            piece = bytearray(self.dice.choice((512, 4 * KIB)))
            disk = reader.open_disk(2000)
            try:
                list(disk.read_many([ReadRequest(start, memoryview(piece))]))
            finally:
                disk.close()
            assert piece == content[start : start + len(piece)], reader.point.id

    def let_go(self) -> None:
        """Close what is read with a pin, as a process does that ends in order."""
        while self.readers:
            self.readers.pop().close()

    def back_up(self, repository: Repository, *, incremental: bool) -> PointId:
        """Change some of the disk and back it up."""
        life = self.life
        parents = sorted(life.committed - life.doubtful)
        changed = [Extent(0, _DISK_BYTES)]
        parent = None
        if incremental and parents:
            parent = self.dice.choice(parents)
            self.disk.content[:] = life.contents[parent.split("/")[1]]
            start = self.dice.randrange(_DISK_BYTES - 300 * KIB)
            changed = [Extent(start, self.dice.choice((1, 4096, 300 * KIB)))]
        for extent in changed if parent is not None else [Extent(self.dice.randrange(5) * 256 * KIB, 256 * KIB)]:
            self.disk.content[extent.start : extent.end] = random_bytes(
                extent.length_bytes, self.dice.randrange(1 << 30)
            )
        life.number += 1
        stamp = (datetime(2026, 11, 22, 9, tzinfo=UTC) + timedelta(hours=life.number)).strftime(
            "%Y-%m-%d_%H-%M-%S"
        )
        life.contents[stamp] = bytes(self.disk.content)
        point = back_up(repository, self.disk, changed, number=life.number, parent=parent).id
        life.committed.add(point)
        return point

    # --- what must be true ---------------------------------------------------------------------------------------

    def check(self, repository: Repository) -> int:
        """Look at everything with other eyes; return how many points there were."""
        life = self.life
        listing = repository.points()
        assert not listing.damaged, listing.damaged
        found = {point.id for point in listing.points}
        trashed = {point.id for point in repository.deleted_points() if _is_whole(point)}
        assert life.committed - life.doubtful <= found, "a committed point vanished"
        assert life.deleted - life.doubtful <= trashed, "a deleted point cannot be taken back"
        assert life.doubtful & life.committed <= found | trashed, "a point is neither here nor there"
        for point in listing.points:
            assert read_back(repository, point.id) == life.contents[point.id.split("/")[1]], point.id
            with repository.open_point(point.id) as reader:
                assert reader.verify(progress=Progress(), cancel=CancelToken()).whole
        return len(found)

    def go_on(self) -> int:
        """Use the repository as if nothing had been, on this machine or another one, then empty it."""
        with self.open(self.dice.choice(("local", "another machine"))) as repository:
            pinned = {pin.point for pin in repository.pins.listing().pins}
            assert {reader.point.id for reader in self.readers} <= pinned, "a pin was lost"
            repository.pins.end_abandoned()
            assert repository.pins.listing() == PinListing(pins=())
            points = self.check(repository)
            self.life.committed = {point.id for point in repository.points().points}
            self.life.deleted = {point.id for point in repository.deleted_points()}
            self.life.doubtful.clear()
            self.back_up(repository, incremental=self.dice.random() < 0.5)
            self.check(repository)
            assert list((self.folder / "standby" / "staging").iterdir()) == [], "the next backup cleans up"
            for _ in range(2):
                report = repository.maintenance.collect_garbage(
                    EVERYTHING, progress=Progress(), cancel=CancelToken()
                )
            assert report.finished
            assert not report.set_aside
            space = repository.maintenance.space(cancel=CancelToken())
            assert space.garbage_bytes == 0, f"space leaks: {space.garbage_bytes} bytes"
            self.life.deleted.clear()
            self.check(repository)
            for point in repository.points().points:
                repository.delete_point(point.id)
            repository.maintenance.collect_garbage(AT_ONCE, progress=Progress(), cancel=CancelToken())
        left = {path.relative_to(self.folder / "standby").as_posix() for path in files_in(self.folder / "standby")}
        assert left == FIXED_FILES, f"files leak: {sorted(left - FIXED_FILES)}"
        chains = [*(self.folder / "standby" / "points").iterdir(), *(self.folder / "standby" / "trash").iterdir()]
        assert chains == []
        return points


def _is_whole(entry: TrashedPoint) -> bool:
    return entry.point is not None


def files_in(folder: Path) -> list[Path]:
    """Return every file below a folder."""
    return [path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()]


def fate_of(dice: random.Random, fate: str) -> AtStep:
    """Choose the step at which the fate strikes, and for how long."""
    number = 1 + int(dice.random() ** 1.5 * _STEPS)
    if fate in ("power cut", "killed"):
        return cut_at(number)
    times = dice.choice((1, 2, 10, 1_000_000))
    return refuse(number, REFUSALS.get(fate, errno.ESTALE), times)


def run_case(seed: int, folder: Path, tally: Tally) -> None:
    """Live, be struck, and go on."""
    folder.mkdir()
    case = Case(seed, folder)
    dice = case.dice
    before = dice.randrange(5)
    with case.open() if before else nullcontext() as repository:  # what was there before
        for action in ("full", "incremental", "delete")[: before - 1] if before else ():
            assert repository is not None
            case.act(repository, action)
    fate = dice.choice(FATES)
    storage = FailingStorage(folder / "standby", fate_of(dice, fate), dice=dice, gone=fate == "share gone")
    case.may_misread = fate == "share gone"
    with storage.watching():
        live(case, fate)
    tally.steps += storage.count
    if storage.is_cut:
        bury_leases()
    if fate == "power cut" and storage.is_cut:
        storage.lose_unsynced()
    tally.cases += 1
    tally.points += case.go_on()
    if storage.is_cut or fate not in ("power cut", "killed"):
        tally.struck[fate] += 1
    shutil.rmtree(folder)
    shutil.rmtree(folder / ".." / f"{folder.name}.grave", ignore_errors=True)


def bury_leases() -> None:
    """End what the death of a process ends: its leases are not kept alive, and no one takes them for held."""
    for thread in threading.enumerate():
        if thread.name.startswith("lease-"):
            lease = thread._target.__self__  # type: ignore[attr-defined]
            lease._ended.set()
            thread.join()
    leases._held.clear()
    pins._held.clear()


def live(case: Case, fate: str) -> None:
    """Do some things; errors of ours are what a refusing standby may lead to."""
    expected: tuple[type[Exception], ...] = (StandbyUnavailable, GarbageCollectionUnsafe, DataDamaged)
    if fate == "full disk":
        expected = (StandbyFull,)
    try:
        with case.open() as repository:
            for _ in range(case.dice.randint(1, 6)):
                action = case.dice.choice(ACTIONS)
                try:
                    case.act(repository, action)
                    case.read_on()
                except RepositoryBusy:  # a lease could not be given back
                    continue
                except expected:
                    continue
            case.let_go()
    except PowerCut:
        return
    except expected:
        return


def run_cases(seeds: range, folder: Path) -> Tally:
    """Run many cases; a failure names its seed."""
    tally = Tally()
    for seed in seeds:
        try:
            with patch.object(os, "fsync", lambda _descriptor: None):  # no real power fails
                run_case(seed, folder / f"case-{seed}", tally)
        except Exception as error:
            error.add_note(f"crash case with seed {seed}")
            raise
    return tally
