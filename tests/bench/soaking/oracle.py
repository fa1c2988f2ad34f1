"""What must be true at the end, known from the simulator alone."""

import hashlib
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from app.core.disks import DiskReader, ReadRequest
from app.core.hypervisor import SNAPSHOT_PREFIX
from app.domain.ids import PointId
from app.domain.policies import PeriodicPolicy
from app.domain.retention import KeptPoint, decide
from app.domain.states import BackupKind

_STEP = 4 * 1024 * 1024


def digest_of_file(file: Path) -> str:
    """Return the digest of a raw file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_of_disk(reader: DiskReader) -> str:
    """Return the digest of a disk, and close it."""
    digest = hashlib.sha256()
    try:
        requests = (
            ReadRequest(start, memoryview(bytearray(min(_STEP, reader.capacity_bytes - start))))
            for start in range(0, reader.capacity_bytes, _STEP)
        )
        for request in reader.read_many(requests):
            digest.update(request.buffer)
    finally:
        reader.close()
    return digest.hexdigest()


@dataclass(frozen=True)
class MadePoint:
    """A restore point that a task made."""

    task: str
    vm: str
    point: KeptPoint


@dataclass
class Oracle:
    """Digests of all frozen disks, the outcome of all tasks, and every point that was ever made."""

    frozen_root: Path
    policy: PeriodicPolicy
    zone: tzinfo
    digests: dict[str, dict[int, str]] = field(default_factory=dict)
    outcomes: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Task id → (kind, state)."""
    made: dict[PointId, MadePoint] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)

    def take_frozen(self) -> None:
        """Note the digests of what snapshots froze since the last time, and delete the copies."""
        for vm in self.frozen_root.glob("*"):
            for snapshot in vm.iterdir():
                task = snapshot.name.removeprefix(SNAPSHOT_PREFIX)
                self.digests[task] = {int(file.stem): digest_of_file(file) for file in snapshot.glob("*.raw")}
            shutil.rmtree(vm)

    def take_tasks(self, tasks: Sequence[Mapping[str, str | None]]) -> None:
        """Note tasks that ended, and the points that they made."""
        for task in tasks:
            key = str(task["id"])
            if key in self.outcomes:
                continue
            self.outcomes[key] = (str(task["kind"]), str(task["state"]))
            if task["error"]:
                self.errors[task["error"]] += 1
            if task["kind"] == "backup" and task["made_at"] and task["point"]:
                point = KeptPoint(
                    id=PointId(task["point"]),
                    created_at=datetime.fromisoformat(task["made_at"]),
                    kind=BackupKind(task["made_kind"]),
                )
                self.made[point.id] = MadePoint(key, str(task["vm"]), point)

    def expected_points(self, later: timedelta) -> set[PointId]:
        """Return the points that retention keeps, when it is applied so much later than each point was made."""
        kept: dict[str, list[KeptPoint]] = {}
        for made in sorted(self.made.values(), key=lambda known: known.point.created_at):
            now = made.point.created_at + later
            candidates = [*kept.get(made.vm, []), made.point]
            decision = decide(candidates, self.policy.retention, self.policy, now, self.zone)
            kept[made.vm] = [point for point, _ in decision.keep]
        return {point.id for points in kept.values() for point in points}

    def count(self, kind: str, state: str) -> int:
        """Return how many tasks of a kind ended so."""
        return sum(outcome == (kind, state) for outcome in self.outcomes.values())
