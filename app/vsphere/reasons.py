"""Reasons why a platform refuses, as parameters of this package's errors and log lines."""

from typing import Final

from app.domain.messages import Message, MessageKind, Sayable

NOT_SOAP: Final = MessageKind("vsphere.not_soap", "the answer is not SOAP")
SESSION_ENDED: Final = MessageKind("vsphere.session_ended", "the session was ended right after the login")
NO_SESSION: Final = MessageKind(
    "vsphere.no_session", "it answers, but opens no session: the limit of its sessions may be reached"
)
ANSWER_UNUSABLE: Final = MessageKind("vsphere.answer_unusable", "no platform answers like that")
NOT_NAMED: Final = MessageKind("vsphere.not_named", "(not named)")
NO_KNOWN_VERSION: Final = MessageKind(
    "vsphere.no_known_version", "it offers no known version of the vim25 interface"
)
NO_NFC_SERVICE: Final = MessageKind("vsphere.no_nfc_service", "it names no NFC service")
HOST_TOO_OLD: Final = MessageKind(
    "vsphere.host_too_old",
    "{host} runs ESXi {version}, which speaks an older protocol; ESXi 6.5 or newer is needed",
)
LARGER_THAN: Final = MessageKind("vsphere.larger_than", "it is larger than {mib} MiB")
NO_DATASTORE_PATH: Final = MessageKind("vsphere.no_datastore_path", "it is not a datastore path")
SEVERAL_DATACENTERS: Final = MessageKind(
    "vsphere.several_datacenters", "several datacenters have one of that name: {paths}"
)
NO_SUCH_DATASTORE: Final = MessageKind("vsphere.no_such_datastore", "there is none of that name")

NOTHING_BEFORE: Final = MessageKind("history.nothing_before", "it holds nothing from before {moment} UTC")
TOO_MANY_EVENTS: Final = MessageKind(
    "history.too_many_events", "it holds more than {count} {count:event/events} of the VM"
)

OFF_AGAIN: Final = MessageKind("power.off_again", "it went off again at once")
ASKS: Final = MessageKind("power.asks", "it asks a question, which only a person can answer: {question}")
STILL_THERE: Final = MessageKind("snapshot.still_there", "it is still there after the task ended")
NEEDS_CONSOLIDATION: Final = MessageKind("snapshot.needs_consolidation", "the disks still need consolidation")
NAME_IN_FOLDER: Final = MessageKind("create.name_in_folder", "its folder has a VM or folder of this name already")
DISK_ELSEWHERE: Final = MessageKind("create.disk_elsewhere", "disk {disk} is not where it was asked for")

NOT_A_CONFIGURATION: Final = MessageKind("configuration.none", "it is not the configuration of a vSphere VM")
OTHER_VERSION: Final = MessageKind(
    "configuration.other_version", "its format version is {version}, not {expected}"
)
UNREADABLE: Final = MessageKind("configuration.unreadable", "its content is not what was written")
FILE_MISSING: Final = MessageKind("configuration.file_missing", "{file}: {reason}")

INCOMPLETE_MAP: Final = MessageKind(
    "tracking.incomplete_map", "the platform's answers do not add up to a map of the whole disk"
)
NO_SUCH_DISK: Final = MessageKind("tracking.no_such_disk", "the snapshot has no such disk")
OTHER_SIZE: Final = MessageKind("tracking.other_size", "the disk has {now} bytes now, not {then}")
NO_CHANGE_ID: Final = MessageKind(
    "tracking.no_change_id", "the snapshot holds no change id for it, so its changes are not tracked"
)
BAD_CHANGE_ID: Final = MessageKind("tracking.bad_change_id", "its change id cannot be read")
RESET_SINCE: Final = MessageKind("tracking.reset_since", "tracking was reset since then")

NO_FILE: Final = MessageKind("disk.no_file", "it has no file on a datastore")
PERSISTENT_MEMORY: Final = MessageKind("disk.persistent_memory", "it is in persistent memory")
RAW_PHYSICAL: Final = MessageKind("disk.raw_physical", "it is a raw device in physical compatibility mode")
INDEPENDENT: Final = MessageKind("disk.independent", "its mode is {mode}, which snapshots leave out")
MULTI_WRITER: Final = MessageKind("disk.multi_writer", "several VMs may write to it (multi-writer)")
SHARED_CONTROLLER: Final = MessageKind(
    "disk.shared_controller", "its controller is shared with other VMs ({sharing})"
)
SHARED_WHILE_RUNNING: Final = MessageKind(
    "vm.shared_while_running",
    "it runs and shares disks with other VMs that are not independent, and of such a VM the platform usually "
    "takes no snapshots",
)
SECONDARY_VM: Final = MessageKind(
    "vm.secondary", "it is the secondary VM of a fault tolerance pair, and its primary is backed up instead"
)

# --- why a datastore of ours is not mounted ----------------------------------------------------------------------

NFS_LIMIT: Final = MessageKind(
    "nfs.limit", "it mounts as many NFS datastores as its advanced setting NFS.MaxVolumes allows"
)
NFS_DENIED: Final = MessageKind("nfs.denied", "it was not let in, as an address that is not expected")
NFS_NOT_REACHED: Final = MessageKind("nfs.not_reached", "it does not reach the NFS service")
NFS_NAME_TAKEN: Final = MessageKind("nfs.name_taken", "it has another datastore of this name")
NFS_NOT_SHOWN: Final = MessageKind(
    "nfs.not_shown", "it mounts this already, but the platform does not show the datastore"
)
NFS_NOT_ACCESSIBLE: Final = MessageKind("nfs.not_accessible", "it is mounted, but the host cannot access it")
NO_HOST_ADDRESS: Final = MessageKind(
    "place.no_host_address",
    "the host {host} reports no IP address of its VMkernel adapters, so that nothing can be served to it",
)
NOT_MOVED: Final = MessageKind("move.not_there", "the task ended, but not all of its files are there")
NO_PICTURE: Final = MessageKind("guest.no_picture", "what it made is no picture in the PNG format")

# --- why a disk cannot be attached -------------------------------------------------------------------------------

NOT_ON_PLATFORM: Final = MessageKind(
    "attach.not_on_platform", "{address} shows this account no VM with the UUID of this machine ({uuids})"
)
SEVERAL_MACHINES: Final = MessageKind(
    "attach.several_machines",
    "several VMs have the UUID of this machine: {names}; give all but one another uuid.bios",
)
NO_INSTANCE_UUID: Final = MessageKind("attach.no_instance_uuid", "{machine} has no instance UUID")
OWN_DISK: Final = MessageKind("attach.own_disk", "it is a disk of that machine itself")
ENCRYPTED_DISK: Final = MessageKind("attach.encrypted", "it is encrypted; only its own VM has the key")
STILL_CONSOLIDATING: Final = MessageKind(
    "attach.consolidating", "the disks of {vm} need consolidation, which moves data between their files"
)
RUNS_ON_IT: Final = MessageKind("attach.runs_on_it", "{vm} is running on it, and no snapshot holds it still")
HAS_PARENTS: Final = MessageKind(
    "attach.has_parents", "a snapshot stands on it; only a disk without snapshots is attached to be written"
)
NO_ROOM_TO_GROW: Final = MessageKind(
    "attach.no_room_to_grow",
    "the datastore {datastore} has less than {bytes:size} free for a thin disk, and a machine whose disk cannot "
    "grow is stopped by its host",
)
NOT_THERE: Final = MessageKind("attach.not_there", "{vm} has no such disk at that place now")
RAW_DEVICE: Final = MessageKind("attach.raw_device", "it is a raw device mapping (RDM)")
IDE_DISK: Final = MessageKind("attach.ide_disk", "it is an IDE disk, and only SCSI disks can be attached")
OTHER_DATACENTER: Final = MessageKind(
    "attach.other_datacenter", "{vm} and the machine {machine} are in different datacenters"
)
DATASTORE_NOT_SEEN: Final = MessageKind(
    "attach.datastore_not_seen", "the host {host} of {machine} does not see the datastore {datastore}"
)
OTHER_STORAGE: Final = MessageKind(
    "attach.other_storage",
    "one of {vm} and {machine} is on a vSAN datastore and the other is not, and a host attaches no disk then",
)
HAS_IT_ALREADY: Final = MessageKind(
    "attach.has_it_already", "{machine} has a disk of that file or with that UUID already"
)
NO_SERIALS: Final = MessageKind(
    "attach.no_serials",
    "the guest of {machine} sees no serial numbers of its disks; switch {machine} off and set disk.EnableUUID to "
    "TRUE in its advanced configuration",
)
NO_FREE_PLACE: Final = MessageKind(
    "attach.no_free_place", "{machine} has no free place on a SCSI controller, nor for another controller"
)
PLACE_TAKEN: Final = MessageKind("attach.place_taken", "its place SCSI({bus}:{unit}) is taken")
ANOTHER_MACHINE: Final = MessageKind(
    "attach.another_machine",
    "several VMs have the instance UUID of {machine}, so that it is not certain which one it is",
)
STILL_ATTACHED: Final = MessageKind("attach.still_attached", "it is still there after the task ended")

# --- where a VM cannot go ----------------------------------------------------------------------------------------

SEVERAL_OWN_DATACENTERS: Final = MessageKind(
    "place.several_own_datacenters", "choose a datacenter, for several are called {name}: {found}"
)
NO_OWN_DATACENTER: Final = MessageKind(
    "place.no_own_datacenter", "choose a datacenter, for the platform has no {name}"
)
NO_DATACENTER: Final = MessageKind("place.no_datacenter", "there is no datacenter {name}")
DATACENTER_AMBIGUOUS: Final = MessageKind(
    "place.datacenter_ambiguous", "several datacenters are called {name}: {found}; choose one by its path"
)
HOST_AWAY: Final = MessageKind("place.host_away", "the host {host} is not connected")
HOST_AMBIGUOUS: Final = MessageKind("place.host_ambiguous", "several hosts are called {host}; choose a datacenter")
HOST_AWAY_IN: Final = MessageKind("place.host_away_in", "the host {host} is not connected in {datacenter}")
NO_HOST_WITH_DATASTORE: Final = MessageKind(
    "place.no_host_with_datastore", "no suitable host in {datacenter} has the datastore {datastore}"
)
NO_HOST: Final = MessageKind("place.no_host", "no host of {datacenter} is connected")
NO_OWN_DATASTORE: Final = MessageKind(
    "place.no_own_datastore", "choose a datastore, for {host} has no {datastore}"
)
NO_FOLDER: Final = MessageKind("place.no_folder", "the datacenter has no folder for VMs")
NAMESAKE: Final = MessageKind("place.namesake", "{datastore} of the VM (the one here is another)")
VERSION_NEEDED: Final = MessageKind(
    "version.needed",
    "the virtual hardware version there is {version} ({host}), but {what} {count:needs/need} {needed}; {remedy}",
)
NEWER_ESXI: Final = MessageKind("version.newer_esxi", "choose a host with ESXi {version} or newer")
NEWER_HOST: Final = MessageKind("version.newer_host", "choose a newer host")
AND: Final = MessageKind("version.and", "{one}, {other}")
NVME: Final = MessageKind("version.nvme", "an NVMe controller")
TPM: Final = MessageKind("version.tpm", "a virtual TPM")
SATA: Final = MessageKind("version.sata", "a SATA controller")
USB3: Final = MessageKind("version.usb3", "a USB 3 controller")
SECURE_BOOT: Final = MessageKind("version.secure_boot", "secure boot")
EFI: Final = MessageKind("version.efi", "EFI firmware")
CPUS: Final = MessageKind("version.cpus", "{count} {count:CPU/CPUs}")
MEMORY: Final = MessageKind("version.memory", "{mib} MB of memory")


class Unsuitable(Exception):
    """What was asked for cannot be, for a reason that an operator understands. Never leaves this package."""

    def __init__(self, reason: Sayable) -> None:
        self._reason = reason.said()
        super().__init__(str(self._reason))

    def said(self) -> Message:
        """Return the reason as a message."""
        return self._reason
