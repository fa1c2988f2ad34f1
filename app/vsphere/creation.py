"""Creating a VM again from its saved configuration, and leaving nothing behind when that fails.

Source: protocols page *vSphere facts*, section "Creating a VM again".
"""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from pyVmomi import vim

from app.core.tasklog import TaskLog
from app.domain.errors import VmCreationFailed
from app.domain.ids import VmId
from app.domain.messages import Message
from app.domain.places import PlannedVm
from app.domain.vms import CreatedVm, SavedConfiguration, VirtualDisk, VmPlacement
from app.vsphere import messages, saved_vm, tasks
from app.vsphere.creation_failures import creation_failure
from app.vsphere.details import disks_of
from app.vsphere.deviations import BOOT_ORDER, MAC_NOT_KEPT, NEW_BIOS_UUID, NEW_INSTANCE_UUID, NVRAM
from app.vsphere.errors import PlatformRefused, VmLeftBehind
from app.vsphere.faults import FAILURES, error_reason
from app.vsphere.files import SmallFiles
from app.vsphere.hardware_versions import VersionTooOld, guest_systems
from app.vsphere.inventory_xml import DeviceFacts, retrieve_light
from app.vsphere.marked_vms import Marked, MarkedVms, parent_at
from app.vsphere.names import DatastorePath
from app.vsphere.offer import PlatformOffer
from app.vsphere.offer_reader import read_offer
from app.vsphere.placement import NoPlace, Origin, Place, choose_host, choose_place
from app.vsphere.plain_values import plain_uuid
from app.vsphere.properties import Row, container_view, read, view_spec
from app.vsphere.reasons import DISK_ELSEWHERE, NAME_IN_FOLDER
from app.vsphere.rebuild import (
    Identity,
    Rebuilt,
    disk_keys_of,
    finishing_spec,
    is_encrypted,
    mac_addresses_of,
    origin_of,
    rebuild,
    version_for,
)
from app.vsphere.rebuild_devices import slots_of
from app.vsphere.saved_vm import NVRAM_FILE, SavedVm
from app.vsphere.session import Connection, VSphereSession
from app.vsphere.tasks import Deadline, Waiting
from app.vsphere.words import Operation

_CREATE_S = 600.0
_EAGER_BYTES_PER_S = 20 << 20
"""A slow array's speed of zeroing; the deadline grows by what a disk needs at it."""
_FINISH_S = 300.0
_IDENTITY_PATHS = ("config.uuid", "config.instanceUuid", "config.hardware.device")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One creation, decided."""

    saved: SavedVm
    place: Place
    wanted: VmPlacement
    rebuilt: Rebuilt
    mark: str

    @property
    def marked(self) -> Marked:
        """How to find what becomes of it."""
        return Marked(
            place=self.place, name=self.wanted.name, mark=self.mark, owns_disks=not self.wanted.present_disks
        )


_Choose = Callable[[PlatformOffer, Origin, VmPlacement], Place]


class Creation:
    """Creates VMs over one session. Thread: any."""

    def __init__(self, session: VSphereSession, files: SmallFiles, platform_instance: str = "") -> None:
        self._session = session
        self._files = files
        self._platform_instance = platform_instance
        self._marked = MarkedVms(session)

    def create(self, saved: SavedConfiguration, wanted: VmPlacement, *, log: TaskLog) -> CreatedVm:
        """Create a powered-off VM with empty disks; see ``Hypervisor.create_vm``."""
        try:
            job = self._prepare(saved, wanted)
            place = job.place
            log.info(messages.VM_PLACED, vm=wanted.name, host=place.host.name, datastore=place.datastore)
            return self._create(job, saved)
        except (NoPlace, VersionTooOld) as error:
            raise VmCreationFailed(vm=wanted.name, detail=error) from error
        except FAILURES as error:
            raise creation_failure(self._session, error, wanted.name) from error

    def plan(self, saved: SavedConfiguration, wanted: VmPlacement) -> PlannedVm:
        """Decide where a VM would be created; see ``PlannedCreation.plan_vm``."""
        return self._plan(saved, wanted, choose_place)

    def plan_here(self, saved: SavedConfiguration, wanted: VmPlacement) -> PlannedVm:
        """Decide where a VM would be created whose disks are there already; see ``RunsFromNfs.plan_here``."""
        keys = disk_keys_of(saved_vm.read(saved.files.get(saved_vm.CONFIG_FILE, b"")))
        return self._plan(saved, replace(wanted, present_disks=tuple((key, "") for key in keys)), choose_host)

    def _plan(self, saved: SavedConfiguration, wanted: VmPlacement, choose: _Choose) -> PlannedVm:
        try:
            vm, place = self._place(saved, wanted, choose)
            rebuilt = rebuild(vm, place, wanted, _whole_identity(vm), "")
            taken = bool(self._marked.named_at(place, wanted.name))
        except (NoPlace, VersionTooOld) as error:
            raise VmCreationFailed(vm=wanted.name, detail=error) from error
        except FAILURES as error:
            raise creation_failure(self._session, error, wanted.name) from error
        return PlannedVm(
            datacenter=place.datacenter.path if place.datacenter is not None else place.host.datacenter,
            folder=place.folder_path,
            host=place.host.name,
            datastore=place.datastore,
            name_taken=taken,
            warnings=rebuilt.warnings,
        )

    # ---- before ------------------------------------------------------------------------------------------

    def _prepare(self, saved: SavedConfiguration, wanted: VmPlacement) -> _Job:
        vm, place = self._place(saved, wanted)
        if self._marked.named_at(place, wanted.name):
            raise VmCreationFailed(vm=wanted.name, detail=NAME_IN_FOLDER)
        identity = _whole_identity(vm) if wanted.keep_identity else self._free_identity(vm)
        mark = wanted.mark or uuid.uuid4().hex
        return _Job(
            saved=vm, place=place, wanted=wanted, rebuilt=rebuild(vm, place, wanted, identity, mark), mark=mark
        )

    def _place(
        self, saved: SavedConfiguration, wanted: VmPlacement, choose: _Choose = choose_place
    ) -> tuple[SavedVm, Place]:
        """Return the saved VM and where it goes.

        Raises:
            NoPlace: it cannot go where it was asked to, or that is not clear.
            VersionTooOld: no virtual hardware version there can hold it.
            ConfigurationUnreadable: there is no saved VM.
        """
        vm = saved_vm.read(saved.files.get(saved_vm.CONFIG_FILE, b""))

        offer = self._session.run(lambda connection: read_offer(connection.query()))
        place = choose(offer, origin_of(vm, self._platform_instance), wanted)
        version, host = version_for(vm, place, wanted).version, place.host
        if version in (None, vm.config.version) or not host.environment:
            return vm, place
        guests = self._session.run(
            lambda connection: guest_systems(connection.query(), host.environment, host.moid, version)
        )
        return vm, replace(place, guest_ids=guests)

    def _free_identity(self, vm: SavedVm) -> Identity:
        """Keep of a VM's identity what no one else on the platform has."""
        taken = self._session.run(lambda connection: _taken_identities(connection))
        config = vm.config
        return Identity(
            uuid=plain_uuid(config.uuid) if config.uuid not in taken else None,
            instance_uuid=plain_uuid(config.instanceUuid) if config.instanceUuid not in taken else None,
            taken_mac_addresses=mac_addresses_of(vm) & taken,
        )

    # ---- the creation ------------------------------------------------------------------------------------

    def _create(self, job: _Job, files: SavedConfiguration) -> CreatedVm:
        seconds = _CREATE_S + job.rebuilt.eager_bytes / _EAGER_BYTES_PER_S
        waiting = Waiting(
            operation=Operation.CREATE_VM,
            deadline=Deadline.after(self._session.clock, seconds),
            instead=lambda _connection: self._made(job),
        )
        task: str | None = None
        try:
            task = tasks.start_task(self._session, lambda connection: _start(connection, job))
            made = tasks.wait_for_task(self._session, task, waiting)
            vm = VmId(made._moId)
            return self._finished(vm, job, files)
        except BaseException:  # also a bug or an interrupt must not leave half a VM on the platform
            try:
                self._marked.remove(job.marked, task)
            except FAILURES as error:
                raise VmLeftBehind(vm=job.wanted.name, detail=error_reason(error)) from error
            raise

    def _made(self, job: _Job) -> Any:
        """Return the VM with the creation's mark and all its disks, when its task is forgotten; else None."""
        for ref in self._marked.at(job.marked):
            if set(job.rebuilt.disks.values()) <= set(slots_of(self._devices(ref._moId))):
                return ref
        return None

    def _devices(self, vm: str) -> list[Any]:
        path = "config.hardware.device"
        row = self._session.run(lambda connection: read(connection.query(), connection.vm(vm), path))
        return list(row.get(path) or ())

    def _finished(self, vm: VmId, job: _Job, files: SavedConfiguration) -> CreatedVm:
        config = self._session.run(
            lambda connection: read(
                connection.query(),
                connection.vm(vm),
                *("config.hardware.device", "config.files.vmPathName", "config.extraConfig"),
                *("config.uuid", "config.instanceUuid"),
            )
        )
        devices = config.need("config.hardware.device") or []
        disks = _matched_disks(job, devices, self._session.platform.address)
        warnings = list(job.rebuilt.warnings)
        spec = finishing_spec(job.saved, job.rebuilt, devices, {key: disk.key for key, disk in disks})
        if spec is not None:
            warnings += self._reconfigured(vm, spec)
        nvram = files.files.get(NVRAM_FILE)
        if nvram is not None and not is_encrypted(job.saved.config):
            warnings += self._stored_nvram(vm, job, config, nvram)
        lacking = tuple(_changed_identity(job, config, devices))
        return CreatedVm(
            id=vm,
            disks=disks,
            warnings=tuple(warnings),
            identity_warnings=lacking,
            was_template=bool(job.saved.config.template),
        )

    def _reconfigured(self, vm: VmId, spec: Any) -> list[Message]:
        waiting = Waiting(
            operation=Operation.RECONFIGURE_VM, deadline=Deadline.after(self._session.clock, _FINISH_S)
        )
        try:
            tasks.run_task(self._session, lambda connection: connection.vm(vm).ReconfigVM_Task(spec=spec), waiting)
        except FAILURES as error:
            return [BOOT_ORDER.fill(reason=error_reason(error))]
        return []

    def _stored_nvram(self, vm: VmId, job: _Job, config: Row, content: bytes) -> list[Message]:
        """Put the firmware's memory next to the .vmx, before the first power-on makes an empty one."""
        try:
            vmx = DatastorePath.parse(config.need("config.files.vmPathName"), (job.place.datastore,))
            named = next(
                (option.value for option in config.get("config.extraConfig") or () if option.key == "nvram"), None
            )
            name = named or f"{vmx.file.rpartition('/')[2].removesuffix('.vmx')}.nvram"
            self._files.store(vmx.sibling(name), content, vm)
        except _NVRAM_FAILURES as error:
            return [NVRAM.fill(reason=error_reason(error))]
        if named:
            return []
        option = vim.option.OptionValue(key="nvram", value=name)
        return self._reconfigured(vm, vim.vm.ConfigSpec(extraConfig=[option]))


_NVRAM_FAILURES: tuple[type[Exception], ...] = (*FAILURES, ValueError, TypeError)


def _start(connection: Connection, job: _Job) -> Any:
    """Begin the creation of a VM.

    Source: ``Folder.CreateVM_Task`` and ``ResourcePool.CreateChildVM_Task`` of the vSphere Web Services reference:
    a VM of a vApp is in no folder, so that the former cannot make it.
    """
    parent, host = parent_at(connection, job.place), connection.object(vim.HostSystem, job.place.host.moid)
    if job.place.vapp is not None:
        return parent.CreateChildVM_Task(config=job.rebuilt.spec, host=host)
    pool = connection.object(vim.ResourcePool, job.place.pool)
    return parent.CreateVM_Task(config=job.rebuilt.spec, pool=pool, host=host)


def _whole_identity(vm: SavedVm) -> Identity:
    return Identity(
        uuid=plain_uuid(vm.config.uuid),
        instance_uuid=plain_uuid(vm.config.instanceUuid),
        taken_mac_addresses=frozenset(),
    )


def _taken_identities(connection: Connection) -> frozenset[str]:
    """Return the UUIDs and, in lower case, the MAC addresses of all VMs."""
    query = connection.query()
    taken: set[str] = set()
    with container_view(query, [vim.VirtualMachine]) as view:
        for row in retrieve_light(query, [view_spec(view, {vim.VirtualMachine: _IDENTITY_PATHS})]):
            taken.update(filter(None, (row.text("config.uuid"), row.text("config.instanceUuid"))))
            devices = row.values.get("config.hardware.device")
            if isinstance(devices, DeviceFacts):
                taken.update(address.lower() for address in devices.mac_addresses)
    return frozenset(taken)


def _matched_disks(job: _Job, devices: list[Any], address: str) -> tuple[tuple[int, VirtualDisk], ...]:
    found = slots_of(devices)
    values = {disk.key: disk for disk in disks_of(devices)}
    pairs = []
    for key, slot in job.rebuilt.disks.items():
        device = found.get(slot)
        if device is None:
            raise PlatformRefused(
                address=address,
                operation=Operation.CREATE_DISK,
                detail=DISK_ELSEWHERE.fill(disk=key),
            )
        pairs.append((key, values[device.key]))
    return tuple(pairs)


def _changed_identity(job: _Job, config: Row, devices: Iterable[Any]) -> list[Message]:
    """Say what the platform gave again although it was asked to keep it."""
    spec = job.rebuilt.spec
    warnings = []
    if spec.uuid and config.get("config.uuid") != spec.uuid:
        warnings.append(NEW_BIOS_UUID.fill())
    if spec.instanceUuid and config.get("config.instanceUuid") != spec.instanceUuid:
        warnings.append(NEW_INSTANCE_UUID.fill())
    present = {
        device.macAddress.lower()
        for device in devices
        if isinstance(device, vim.vm.device.VirtualEthernetCard) and device.macAddress
    }
    lost = (address for address in job.rebuilt.mac_addresses if address not in present)
    return warnings + [MAC_NOT_KEPT.fill(address=address) for address in lost]
