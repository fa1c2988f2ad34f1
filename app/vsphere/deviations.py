"""What of a VM that is created is not as it was: the warnings of a restore and of its plan."""

from typing import Final

from app.domain.messages import MessageKind

BOOT_ORDER: Final = MessageKind(
    "restored.boot_order", "The boot order and the video card could not be set: {reason}."
)
NVRAM: Final = MessageKind("restored.nvram", "The firmware's settings (NVRAM) could not be restored: {reason}.")
NVRAM_ENCRYPTED: Final = MessageKind(
    "restored.nvram_encrypted",
    "The firmware's settings (NVRAM) of the encrypted VM are encrypted, so the restored VM, which is not, "
    "begins with new ones.",
)
NEW_BIOS_UUID: Final = MessageKind("restored.new_bios_uuid", "The platform gave the VM a new BIOS UUID.")
NEW_INSTANCE_UUID: Final = MessageKind(
    "restored.new_instance_uuid",
    "The platform gave the VM a new instance UUID, for another VM has the old one.",
)
MAC_NOT_KEPT: Final = MessageKind("restored.mac_not_kept", "The MAC address {address} could not be kept.")
BIOS_UUID: Final = MessageKind("identity.bios_uuid", "the BIOS UUID")
INSTANCE_UUID: Final = MessageKind("identity.instance_uuid", "the instance UUID")
MAC_ADDRESS: Final = MessageKind("identity.mac_address", "the MAC address {address}")

# --- where it is -------------------------------------------------------------------------------------------------

DATASTORE_MISSING: Final = MessageKind(
    "restored.datastore_missing", "The datastore {own} is not there; disk {disk} is on {datastore}."
)
FOLDER_MISSING: Final = MessageKind(
    "restored.folder_missing", "The folder {folder} does not exist; the VM is in {where}."
)
OWN_FOLDER: Final = MessageKind("restored.own_folder", "the datacenter's own folder")
POOLS_AMBIGUOUS: Final = MessageKind(
    "restored.pools_ambiguous",
    "Several resource pools of {host} are called {name} ({found}); its root is used.",
)
POOL_MISSING: Final = MessageKind(
    "restored.pool_missing", "The resource pool {name} does not exist on {host}; its root is used."
)
WAS_IN_VAPP: Final = MessageKind(
    "restored.was_in_vapp", "The VM was in the vApp {name}; the root pool is used, add it there by hand."
)

# --- what it is made of ------------------------------------------------------------------------------------------

GUEST_UNKNOWN: Final = MessageKind(
    "restored.guest_unknown", "The guest system {guest} is not known there; the VM is set to {other}."
)
VERSION_MALFORMED: Final = MessageKind(
    "restored.version_malformed", "Its virtual hardware version is not one; the host's is used."
)
VERSION_LOWERED: Final = MessageKind(
    "restored.version_lowered",
    "The virtual hardware version {version} is not known on {host}; the VM has {lowered} there.",
)
NEEDS_NEWER_VERSION: Final = MessageKind(
    "restored.needs_newer_version", "{feature} needs a newer virtual hardware version and is off."
)
SEV: Final = MessageKind("feature.sev", "Memory encryption by the processor (SEV)")
VBS: Final = MessageKind("feature.vbs", "Virtualization-based security")
IOMMU: Final = MessageKind("feature.iommu", "The virtual IOMMU")
NESTED: Final = MessageKind("feature.nested", "Nested virtualization")
SGX: Final = MessageKind("feature.sgx", "Enclaves of the processor (SGX)")
COUNTERS: Final = MessageKind("feature.counters", "Performance counters of the virtual CPUs")
THREADS: Final = MessageKind("feature.threads", "Several threads for each virtual core")
MOTHERBOARD: Final = MessageKind("feature.motherboard", "The layout of the virtual motherboard")
VERSION_UNKNOWN: Final = MessageKind(
    "restored.version_unknown",
    "Neither the VM's virtual hardware version nor those of {host} can be read; the host chooses one.",
)
WAS_ENCRYPTED: Final = MessageKind("restored.was_encrypted", "The VM was encrypted; now it is not.")
WAS_MANAGED: Final = MessageKind(
    "restored.was_managed", "The VM was managed by {manager}; now nothing manages it."
)
SETTINGS_LEFT_OUT: Final = MessageKind(
    "restored.settings_left_out", "Settings that a restored VM does not take over were left out: {settings}."
)
MORE_SETTINGS_LEFT_OUT: Final = MessageKind(
    "restored.more_settings_left_out",
    "Settings that a restored VM does not take over were left out: {settings} and {count} more.",
)

# --- devices -----------------------------------------------------------------------------------------------------

DEVICE_LEFT_OUT: Final = MessageKind(
    "restored.device_left_out", "{device} cannot be created again and was left out."
)
NOT_SHARED: Final = MessageKind("restored.not_shared", "{device} is no longer shared with other VMs.")
NO_AUTOCONNECT: Final = MessageKind(
    "restored.no_autoconnect", "{device} does not connect USB devices of the host by itself any more."
)
DISK_WITHOUT_PLACE: Final = MessageKind(
    "restored.disk_without_place", "{disk} has no place on a controller and was left out."
)
DISK_IN_MEMORY: Final = MessageKind("restored.disk_in_memory", "{disk} is in persistent memory and was left out.")
DISK_EMPTY: Final = MessageKind(
    "restored.disk_empty", "{disk} was not part of the backup, for {reason}; it was created empty."
)
WAS_RAW: Final = MessageKind("restored.was_raw", "{disk} was a raw device; now it is an ordinary disk.")
DISK_WAS_ENCRYPTED: Final = MessageKind("restored.disk_was_encrypted", "{disk} was encrypted; now it is not.")
STORAGE_POLICY: Final = MessageKind(
    "restored.storage_policy",
    "A storage policy decided how {disks} {count:was/were} stored. Backups hold no policies, so the datastore's "
    "default one holds now; assign the right one to the VM (VM policies in the vSphere Client).",
)
IO_FILTERS: Final = MessageKind(
    "restored.io_filters",
    "The I/O filters of {disk} ({filters}) are not attached any more; they come back with the storage policy that "
    "has them.",
)
DISCONNECTED: Final = MessageKind("restored.disconnected", "{problem}; {card} is left disconnected.")
NETWORKS_AMBIGUOUS: Final = MessageKind("network.ambiguous", "Several networks are called {network}: {found}")
NETWORK_MISSING: Final = MessageKind("network.missing", "The network {network} is not there")
NETWORK_NOT_NAMED: Final = MessageKind("network.not_named", "The network is not there and has no known name")
NOT_INSERTED: Final = MessageKind("restored.not_inserted", "{medium} is no longer inserted in {drive}.")
