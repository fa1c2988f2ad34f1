"""The state of a simulated vSphere: every managed object, one lock, one version counter."""

import itertools
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pyVmomi import vmodl

from app.core.clock import Clock, SystemClock
from app.simulator import vmomi
from app.simulator.events import EventLog
from app.simulator.faults import FaultScript
from app.simulator.objects import SimObject
from app.simulator.spec import SimulatorSpec
from app.simulator.tasks import TaskRunner

if TYPE_CHECKING:
    from app.simulator.session import SessionBook
    from app.simulator.storage import SimDatastore

S = TypeVar("S", bound=SimObject)

_STRUCTURAL = frozenset(
    {"childEntity", "vm", "host", "resourcePool", "vmFolder", "hostFolder", "datastoreFolder", "networkFolder"}
)


class World:
    """All that exists in one simulator.

    ``lock`` guards every property of every object and may be taken again by its holder; it is held for
    moments, never during disk or network I/O. ``changed`` is its condition, notified at each change.

    Thread: any.

    Attributes:
        spec: what was asked for.
        directory: where the simulator keeps its files.
        objects: managed objects by id; session-bound ones (views, filters) live in their session instead.
        version: counts changes of any kind.
        structure_version: counts changes of who is where: objects added, removed or moved.
        events: what happened.
        tasks: runs the tasks.
        faults: what is to go wrong.
        datastores: ``SimDatastore`` by name; the storage part fills it.
        disks: the ``DiskStore``.
        tickets: the ``TicketBook`` of NFC.
        guests: the guests that write.
        sessions: who is logged in.
        inventory: where hosts, datastores and networks are found by name; the inventory part fills it.
        keep_frozen_copies: where each disk that a snapshot freezes is copied to as a raw file, for tests; None
            keeps none.
        host_thumbprint_sha1: the ESXi hosts' certificate, for NFC tickets.
        nfc_port: where NFC listens.
        end_reading: cuts the NFC sessions of the VM with an id.
    """

    datastores: dict[str, "SimDatastore"]
    disks: Any
    tickets: Any
    guests: Any
    inventory: Any
    sessions: "SessionBook"

    def __init__(
        self,
        spec: SimulatorSpec,
        directory: Path,
        *,
        clock: Clock | None = None,
        faults: FaultScript | None = None,
    ) -> None:
        self.spec = spec
        self.directory = directory
        self.clock: Clock = clock or SystemClock()
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.objects: dict[str, SimObject] = {}
        self.version = 1
        self.structure_version = 1
        self.faults = faults or FaultScript()
        self.events = EventLog(self)
        self.tasks = TaskRunner(self)
        self.datastores = {}
        self.disks = self.tickets = self.guests = self.inventory = None
        self.keep_frozen_copies: Path | None = None
        self.host_thumbprint_sha1 = ""
        self.nfc_port = 0
        self.end_reading: Callable[[str], None] = _nothing_reads
        self._numbers = itertools.count(1001)

    def now(self) -> datetime:
        """Return the present as aware UTC."""
        return self.clock.now()

    def new_number(self) -> int:
        """Return a number that was not given before in this world."""
        return next(self._numbers)

    def new_moid(self, prefix: str) -> str:
        """Return a new managed object id such as ``vm-1001``."""
        return f"{prefix}-{self.new_number()}"

    def add(self, obj: S) -> S:
        """Let an object exist from now on.

        Raises:
            ValueError: its id is taken.
        """
        with self.lock:
            if obj.moid in self.objects:
                raise ValueError(f"managed object id {obj.moid} is taken")
            self.objects[obj.moid] = obj
            obj.version = self.bump(_STRUCTURAL)
        return obj

    def remove(self, obj: SimObject) -> None:
        """Let an object cease to exist; nothing happens when it is gone already."""
        with self.lock:
            if self.objects.get(obj.moid) is obj:
                del self.objects[obj.moid]
                self.bump(_STRUCTURAL)

    def find(self, moid: str) -> SimObject | None:
        """Return an object by id, or None."""
        return self.objects.get(moid)

    def get(self, ref: Any) -> SimObject:
        """Return the object that a pyVmomi reference or an id names.

        Raises:
            vmodl.fault.ManagedObjectNotFound: it does not exist, or not any more.
        """
        moid: str = ref if isinstance(ref, str) else ref._moId
        obj = self.objects.get(moid)
        if obj is None or not (ref is moid or vmomi.refers_to(ref, obj.vim_type)):
            raise not_found(ref)
        return obj

    def all(self, kind: type[S]) -> list[S]:
        """Return every object of a class, oldest first."""
        with self.lock:
            return [obj for obj in self.objects.values() if isinstance(obj, kind)]

    def bump(self, names: Iterable[str]) -> int:
        """Count a change of properties with these names and wake whoever waits; return the new version."""
        with self.lock:
            self.version += 1
            if not _STRUCTURAL.isdisjoint(names):
                self.structure_version = self.version
            self.changed.notify_all()
            return self.version


def _nothing_reads(moid: str) -> None:
    """Stand in until NFC is served."""


def not_found(ref: Any) -> vmodl.fault.ManagedObjectNotFound:
    """Make the fault for a reference to something that does not exist."""
    reference = vmomi.reference(ref) if isinstance(ref, str) else ref
    return vmodl.fault.ManagedObjectNotFound(
        msg="The object has already been deleted or has not been completely created", obj=reference
    )
