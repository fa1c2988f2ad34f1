"""Lines that the transports write to a task's log."""

from app.domain.messages import MessageKind
from app.transport.options import Compression

READING_OVER = MessageKind("transport.reading_over", "{path} is read over {mode}.")
WRITING_OVER = MessageKind("transport.writing_over", "{path} is written over {mode}.")

NATIVE_NFC_UNSUPPORTED = MessageKind(
    "transport.native_nfc_unsupported",
    "Native NFC is not documented or supported by VMware. Every answer of the host is checked; "
    "HTTPS datastore access can be chosen instead for reading.",
)
DATA_NOT_ENCRYPTED = MessageKind(
    "transport.data_not_encrypted",
    "The data of {path} travels unencrypted between the ESXi host and this machine ({mode}).",
)

VDDK_NOT_INSTALLED = MessageKind(
    "transport.skipped.vddk",
    "{mode} is not used: it needs VMware's VDDK (64-bit, 6.5 or newer), "
    "and no folder of it is entered under Settings.",
)
VDDK_NOT_INSTALLED_AND_MORE = MessageKind(
    "transport.skipped.vddk_and_more",
    "{mode} is not used: it needs VMware's VDDK (64-bit, 6.5 or newer), "
    "and no folder of it is entered under Settings; "
    "{needed}.",
)
VDDK_USED = MessageKind("transport.vddk_used", "The disk is opened by VDDK {version} in a process of its own.")
VM_HELD = MessageKind(
    "transport.vm_held",
    "vCenter keeps the VM on its datastore while VDDK reads its disks (Storage vMotion is off).",
)
VM_NOT_HELD = MessageKind(
    "transport.vm_not_held",
    "The VM could not be kept on its datastore for VDDK ({reason}); "
    "a Storage vMotion meanwhile may end the backup.",
)
VM_LET_GO = MessageKind("transport.vm_let_go", "The VM may move to other datastores again.")
VM_NOT_LET_GO = MessageKind(
    "transport.vm_not_let_go",
    "Storage vMotion of the VM could not be switched on again ({reason}); "
    "the next backup that uses VDDK on this platform tries it again.",
)
VDDK_CLEANED = MessageKind(
    "transport.vddk_cleaned",
    "VDDK removed what an earlier run had left on {cleaned} {cleaned:VM/VMs}; {remaining} remain.",
)
NOT_OFFERED = MessageKind("transport.skipped.not_offered", "{mode} is not used: {reason}.")
PORT_BLOCKED = MessageKind(
    "transport.skipped.port_blocked", "{mode} is not used: {host} does not answer on port {port} ({reason})."
)
BACKUP_NETWORK_BLOCKED = MessageKind(
    "transport.skipped.backup_network_blocked",
    "{mode} is not used: {host}, the address for backups of {known_as}, does not answer on port {port} "
    "({reason}); its network is not routed from here.",
)
HOST_NAME_UNRESOLVED = MessageKind(
    "transport.skipped.host_name_unresolved",
    "{mode} is not used: the name of the host, {host}, is not known on this machine, and nothing answers on port "
    "{port} at its other addresses: {addresses} ({reason}).",
)
HOST_IN_MAINTENANCE = MessageKind(
    "transport.skipped.host_in_maintenance",
    "{mode} is not used: the host {host} is in maintenance mode ({reason}).",
)
TICKET_REFUSED = MessageKind(
    "transport.skipped.ticket_refused", "{mode} is not used: the host refused the ticket ({reason})."
)
PLAIN_NOT_ALLOWED = MessageKind(
    "transport.skipped.plain_not_allowed",
    "{mode} is not used: it sends data unencrypted, which the settings of the virtual platform do not allow.",
)
PLAIN_AFTER_FAILURE = MessageKind(
    "transport.skipped.plain_after_failure",
    "{mode} is not used: data does not travel unencrypted because an encrypted connection failed.",
)
HTTPS_NOT_POSSIBLE = MessageKind("transport.skipped.https", "{mode} is not possible: {reason}.")
OPEN_FAILED = MessageKind("transport.skipped.failed", "{mode} is not used: {reason}")

CONNECTION_LOST = MessageKind(
    "transport.connection_lost",
    "The connection to {path} over {mode} was lost: {detail}. Attempt {attempt} of {attempts} "
    "to go on follows in {delay_s} s.",
)
CONNECTION_RESTORED = MessageKind(
    "transport.connection_restored",
    "The connection to {path} over {mode} is back; {open_bytes:size} are asked again.",
)
SESSION_RENEWED = MessageKind(
    "transport.session_renewed", "The session at {host} had expired; {path} goes on with a new one."
)
BUFFER_REDUCED = MessageKind(
    "transport.buffer_reduced",
    "{host} refused a transfer buffer of {refused_bytes:size} ({reason}); trying {bytes:size}.",
)
PACKINGS = {
    Compression.NONE: MessageKind("packing.none", "no packing"),
    Compression.ZLIB: MessageKind("packing.zlib", "zlib"),
    Compression.FASTLZ: MessageKind("packing.fastlz", "FastLZ"),
    Compression.SKIPZ: MessageKind("packing.skipz", "SkipZ"),
}
"""What each packing is called."""
MANNER = MessageKind("transport.manner", "{packing}, {bytes:size} in flight")
MANNER_WITH_BUFFERS = MessageKind(
    "transport.manner_with_buffers", "{packing}, {bytes:size} in flight, buffers of {buffer_bytes:size}"
)
MEASURED = MessageKind("transport.measured", "{packing} {bytes_per_s:size}/s")
PACKING_CHOSEN = MessageKind(
    "transport.packing_chosen", "The fastest packing for this disk and line is {packing} (measured: {measured})."
)
MEASURED_BUFFERS = MessageKind("transport.measured_buffers", "{bytes:size} {bytes_per_s:size}/s")
BUFFERS_CHOSEN = MessageKind(
    "transport.buffers_chosen",
    "The fastest buffers for this disk and line: {bytes:size} (measured: {measured}).",
)
PACKING_REFUSED = MessageKind(
    "transport.packing_refused", "The host does not do {packing} for this disk; it is done without."
)
READ_IN_MANNER = MessageKind("transport.read_in_manner", "The disk is read with {manner}.")
WRITTEN_IN_MANNER = MessageKind("transport.written_in_manner", "The disk is written with {manner}.")
BACKED_OFF = MessageKind(
    "transport.backed_off", "The host has no memory for more: at most {bytes:size} are asked for at once."
)
WAITING_FOR_HOST = MessageKind(
    "transport.waiting_for_host",
    "The host {host} is in maintenance mode. {path} is opened as soon as its VM has moved to another host or the "
    "host is back; that is waited for up to {minutes} {minutes:minute/minutes}.",
)
OLD_TLS = MessageKind(
    "transport.old_tls",
    "{host} only offers the key exchange of older releases (ESXi 6.5 and 6.7); it is taken for this disk.",
)
GREETED_OTHERWISE = MessageKind(
    "transport.greeted_otherwise",
    "{host} ended the session on the first words; it is greeted as other releases are.",
)
HOST_SAID = MessageKind("transport.host_said", "What {host} said of itself is kept with this line, for a report.")
ALLOCATION_UNKNOWN = MessageKind(
    "transport.allocation_unknown", "The host does not report which blocks of {path} hold data: {reason}."
)
DIALLED_BY_ADDRESS = MessageKind(
    "transport.dialled_by_address",
    "The name {host}, by which the platform calls the host, is not known on this machine ({reason}): the host is "
    "spoken to at its management address {address}",
)
NOT_LET_GO = MessageKind(
    "transport.not_let_go", "This system did not let go of {path} before it is detached: {reason}."
)
STILL_HELD = MessageKind("transport.still_held", "it still shows the disk")
