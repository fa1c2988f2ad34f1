"""Holds all that exists in a simulated vSphere; objects that need all of it derive from ``WorldObject``."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from app.core.clock import Clock, SystemClock
from app.simulator.client_sessions import ClientSessions
from app.simulator.events import EventLog
from app.simulator.faults import FaultScript
from app.simulator.guests import Boots, GuestDevices, Guests
from app.simulator.nas import NasMount
from app.simulator.nfc.tickets import TicketStore
from app.simulator.objects import ObjectStore, SimObject
from app.simulator.spec import SimulatorSpec
from app.simulator.storage import DiskStore, SimDatastore
from app.simulator.tasks import TaskRunner


class World(ObjectStore):
    """All that exists in one simulator.

    Thread: any.

    Attributes:
        spec: what was asked for.
        directory: where the simulator keeps its files.
        events: what happened.
        tasks: runs the tasks.
        faults: what is to go wrong.
        datastores: by name; the inventory part fills it.
        disks: the disks on them.
        tickets: of NFC.
        guests: the guests that write.
        boots: the guests that boot.
        boot_s: how long a guest takes to boot.
        sessions: who is logged in.
        nas: how hosts mount exports of NFS servers.
        nas_mounts: the exports that are mounted.
        inventory: where hosts, datastores and networks are found by name; the inventory part fills it.
        keep_frozen_copies: where each disk that a snapshot freezes is copied to as a raw file, for tests; None
            keeps none.
        host_thumbprint_sha1: the ESXi hosts' certificate, for NFC tickets.
        nfc_port: where NFC listens.
        guest_devices: what the VM that counts as this machine sees of its disks, by the VM's id.
        end_reading: cuts the NFC sessions of the VM with an id.
    """

    inventory: Any

    def __init__(
        self,
        spec: SimulatorSpec,
        directory: Path,
        *,
        clock: Clock | None = None,
        faults: FaultScript | None = None,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.directory = directory
        self.clock: Clock = clock or SystemClock()
        self.faults = faults or FaultScript()
        self.events = EventLog(self, self.clock, spec.flavour)
        self.tasks = TaskRunner(self, self.clock, self.events, self.faults, spec.flavour)
        self.sessions = ClientSessions(self, self.clock, self.events, spec)
        self.datastores: dict[str, SimDatastore] = {}
        self.disks = DiskStore(self.datastores, seed=spec.seed)
        self.tickets = TicketStore(self.clock)
        self.guests = Guests(spec.seed)
        self.boots = Boots()
        self.boot_s = spec.boot_s
        self.nas = replace(spec.nas)
        self.nas_mounts: set[NasMount] = set()
        self.inventory = None
        self.keep_frozen_copies: Path | None = None
        self.host_thumbprint_sha1 = ""
        self.nfc_port = 0
        self.guest_devices: dict[str, GuestDevices] = {}
        self.end_reading: Callable[[str], None] = _nothing_reads

    def give_up_mounts(self) -> None:
        """Let nobody wait any longer for an NFS server that is away."""
        for mount in tuple(self.nas_mounts):
            mount.give_up()

    def close_mounts(self) -> None:
        """Unmount every export."""
        while self.nas_mounts:
            self.nas_mounts.pop().close()

    def now(self) -> datetime:
        """Return the present as aware UTC."""
        return self.clock.now()


def _nothing_reads(moid: str) -> None:
    """Do nothing, until NFC is served."""


class WorldObject(SimObject):
    """A managed object that reaches all of the world, not only the other objects.

    Attributes:
        world: what it is part of.
    """

    def __init__(self, world: World, moid: str, **properties: Any) -> None:
        super().__init__(world, moid, **properties)
        self.world = world
