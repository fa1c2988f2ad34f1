"""The whole simulator: puts the parts together, starts them and ends them."""

from contextlib import ExitStack
from pathlib import Path
from typing import Self, TypeVar

from app.core.clock import Clock
from app.simulator.faults import FaultScript
from app.simulator.folder import FolderHandler, FolderPorts
from app.simulator.guests import GuestDevices
from app.simulator.inventory.build import build_inventory
from app.simulator.nfc import NfcOptions, NfcServer, NfcTls, profile_of
from app.simulator.singletons import add_singletons
from app.simulator.soap.dispatcher import Dispatcher
from app.simulator.soap.http import HttpsServer
from app.simulator.spec import SimulatorSpec
from app.simulator.tls import TlsIdentity
from app.simulator.vm import lending
from app.simulator.vm.disk_access import VmDisks
from app.simulator.vm.encryption import SealedFiles
from app.simulator.vm.nfc_service import nfc_service_name
from app.simulator.world import World

T = TypeVar("T")


class VSphereSimulator:
    """A vCenter or a bare ESXi on ports of this machine's own loopback, as a context manager.

    The directory holds datastores as directories of real files, and the certificates. It must be new or empty,
    and is left behind.

    Thread: :meth:`start` and :meth:`stop` one at a time; the attributes from any thread.

    Attributes:
        host: the spec's address.
        user: an account that may do everything, unless the spec says otherwise: its first one.
        password: of that account.
        world: the state, for tests that look inside.
        faults: what is to go wrong.
    """

    def __init__(self, spec: SimulatorSpec, directory: Path, *, clock: Clock | None = None) -> None:
        self.spec = spec
        self.host = spec.address
        self.directory = directory
        self.faults = FaultScript()
        self.world = World(spec, directory, clock=clock, faults=self.faults)
        self.user = spec.users[0].name
        self.password = spec.users[0].password
        self._https: HttpsServer | None = None
        self._nfc: NfcServer | None = None
        self._away_from: int | None = None
        self._running = ExitStack()
        self._server_tls: TlsIdentity | None = None
        self._host_tls: TlsIdentity | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """Port of SOAP and of datastore files.

        Raises:
            RuntimeError: it is not started.
        """
        return self._require(self._https).port

    @property
    def nfc_port(self) -> int:
        """Port of authd and NFC, 902 on a real host.

        Raises:
            RuntimeError: it is not started.
        """
        return self._require(self._nfc).port

    @property
    def thumbprint_sha256(self) -> str:
        """SHA-256 of the certificate that HTTPS shows now, upper-case hex pairs joined by colons.

        Raises:
            RuntimeError: it is not started.
        """
        return self._require(self._server_tls).thumbprint_sha256

    @property
    def certificate_file(self) -> Path:
        """The certificate that HTTPS shows now, as PEM.

        Raises:
            RuntimeError: it is not started.
        """
        return self._require(self._server_tls).certificate_file

    @property
    def guest_root(self) -> Path:
        """What stands for the root of the file system of the VM that counts as this machine."""
        return self.directory / "machine"

    @property
    def keep_frozen_copies(self) -> Path | None:
        """Where each disk that a snapshot freezes is copied to as a raw file; None: nowhere."""
        return self.world.keep_frozen_copies

    @keep_frozen_copies.setter
    def keep_frozen_copies(self, directory: Path | None) -> None:
        self.world.keep_frozen_copies = directory

    def start(self, port: int = 0) -> None:
        """Make the inventory with its disks, listen, and let the guests run.

        Args:
            port: for SOAP and datastore files; 0 takes a free one.

        Raises:
            FileExistsError: the directory holds something already.
            OSError: the port is taken.
            RuntimeError: it was started before.
        """
        if self._https is not None:
            raise RuntimeError("a simulator starts once")
        if self.directory.exists() and any(self.directory.iterdir()):
            raise FileExistsError(f"{self.directory} is not empty")
        with ExitStack() as starting:
            self._make_certificates()
            self._make_world(starting)
            self._start_nfc(starting)
            self._start_https(starting, port)
            starting.callback(self._stop_tasks)
            starting.callback(self.world.give_up_mounts)
            self._running = starting.pop_all()

    def stop(self) -> None:
        """End every connection, task and guest, and wait until their threads are gone; twice is fine."""
        self._running.close()

    def cut_connections(self) -> None:
        """Cut every connection at once, as a reboot of the network would; clients may connect again."""
        self._require(self._https).cut_connections()
        self._require(self._nfc).cut_connections()

    def go_away(self, *, keep_sessions: bool = False, keep_tasks: bool = True) -> None:
        """Refuse connections to SOAP and datastore files until :meth:`come_back`; hosts go on serving NFC.

        Args:
            keep_sessions: False forgets who was logged in, as a restart does.
            keep_tasks: False forgets every task, as another node does that did not hear of them; hosts go on.
        """
        https = self._require(self._https)
        self._away_from = https.port
        if not keep_sessions:
            self.faults.expire_sessions()  # ends the calls that wait for something
        https.stop()
        if not keep_sessions:
            self.faults.expire_sessions()
        if not keep_tasks:
            self.world.tasks.forget()

    def come_back(self, host: str | None = None) -> None:
        """Answer again on the port of before, perhaps at another address of this machine, as another node does."""
        self._require(self._https).start(self._require(self._away_from), host or self.host)
        self._away_from = None

    def answer_unavailable(self, *, unavailable: bool) -> None:
        """Answer every HTTPS request with status 503 from now on, or no more."""
        self._require(self._https).unavailable = unavailable

    def _make_certificates(self) -> None:
        directory = self.directory / "tls"
        host_name = self.spec.hosts[0]
        is_weak = profile_of(self.spec.version).has_weak_tls
        self._host_tls = TlsIdentity(directory, host_name, is_weak=is_weak and self.spec.is_vcenter)
        # a bare host shows one certificate everywhere
        self._server_tls = TlsIdentity(directory, "vcenter.lab") if self.spec.is_vcenter else self._host_tls
        self.world.host_thumbprint_sha1 = self._host_tls.thumbprint_sha1

    def _make_world(self, starting: ExitStack) -> None:
        world = self.world
        starting.callback(world.close_mounts)
        starting.callback(world.disks.close)
        starting.callback(world.guests.stop)
        starting.callback(world.boots.stop)
        self.faults.bind(expire_sessions=world.sessions.close_all, change_certificate=self._change_certificate)
        add_singletons(world)
        build_inventory(world)
        self._start_own_guest(starting)

    def _start_own_guest(self, starting: ExitStack) -> None:
        """Let the guest run of the VM that counts as this machine, if there is one."""
        names = [vm.name for vm in self.spec.vms if vm.this_machine]
        for machine in [vm for vm in self.world.inventory.vms.values() if vm.name in names]:
            guest = GuestDevices(self.guest_root)
            guest.start(machine.config.uuid)
            self.world.guest_devices[machine.moid] = guest
            starting.callback(lending.give_all_back, machine)
            starting.callback(guest.stop)

    def _start_nfc(self, starting: ExitStack) -> None:
        world = self.world
        options = NfcOptions(
            service=nfc_service_name(world),
            profile=profile_of(self.spec.version),
            abandoned_s=self.spec.abandoned_session_s,
        )
        tls = self._nfc_tls()
        nfc = NfcServer(VmDisks(world), world.tickets, tls, faults=self.faults, options=options, clock=world.clock)
        routed = self.spec.backup_address if self.spec.is_backup_network_routed else None
        nfc.start(host=routed or self.host)
        starting.callback(nfc.stop)
        self._nfc = nfc
        world.nfc_port = nfc.port
        world.end_reading = nfc.end_sessions_of

    def _start_https(self, starting: ExitStack, port: int) -> None:
        world = self.world
        folder = FolderHandler(
            FolderPorts(
                sessions=world.sessions,
                datastores=world.datastores,
                disks=world.disks,
                has_datacenter=lambda path: world.inventory.parts_at(path) is not None,
                key_of=world.inventory.datastore_key,
                is_locked=VmDisks(world).is_written_by_running_vm,
                cipher_of=SealedFiles(world).cipher_of,
                faults=self.faults,
            )
        )
        https = HttpsServer(Dispatcher(world), world.sessions, self._require(self._server_tls), folder)
        https.start(port, self.host)
        starting.callback(https.stop)
        self._https = https

    def _stop_tasks(self) -> None:
        self.world.tasks.stop()
        with self.world.lock:
            self.world.changed.notify_all()

    def _nfc_tls(self) -> NfcTls:
        host = self._require(self._host_tls)
        return NfcTls(context=host.context, thumbprint_sha256=host.thumbprint_sha256)

    def _change_certificate(self) -> None:
        self._require(self._server_tls).renew()
        if not self.spec.is_vcenter:
            self.world.host_thumbprint_sha1 = self._require(self._host_tls).thumbprint_sha1
            self._require(self._nfc).tls = self._nfc_tls()

    @staticmethod
    def _require(part: T | None) -> T:
        if part is None:
            raise RuntimeError("the simulator is not started")
        return part
