"""Reasons why a transport fails, as parameters of this package's errors and log lines."""

from typing import Final

from app.domain.messages import MessageKind

CONNECTION_BROKE: Final = MessageKind("link.broke", "the connection broke")
CONNECTION_BROKE_FOR: Final = MessageKind("link.broke_for", "the connection broke: {reason}")
NAME_UNRESOLVED: Final = MessageKind("link.name_unresolved", "the name {host} cannot be resolved: {reason}")
NO_ADDRESS: Final = MessageKind("link.no_address", "{host} has no address")
NONE_KNOWN: Final = MessageKind("link.none_known", "none is known")
UNREACHABLE: Final = MessageKind("link.unreachable", "no connection could be made")
HOST_CLOSED: Final = MessageKind("link.host_closed", "the host closed the connection")
SILENT: Final = MessageKind("link.silent", "the host stayed silent for too long")
SENT_TOO_LITTLE: Final = MessageKind("link.sent_too_little", "the host sent too little for {seconds} s")
TOOK_TOO_LITTLE: Final = MessageKind("link.took_too_little", "the host took too little for {seconds} s")
TOO_SLOW: Final = MessageKind("link.too_slow", "the host sends less than {kib} KiB in a second")
HEAD_TOO_SLOW: Final = MessageKind("link.head_too_slow", "the host did not end the head of its answer in time")
TOO_MUCH_BEFORE_PLAIN: Final = MessageKind(
    "link.too_much_before_plain", "the host sent more than was asked for before the TLS layer ended"
)
LINE_TOO_LONG: Final = MessageKind("link.line_too_long", "the host sent a line of more than {bytes} bytes")
ANSWERS_TOO_SLOW: Final = MessageKind("link.answers_too_slow", "the answers in flight took too long")
ACKNOWLEDGEMENTS_TOO_SLOW: Final = MessageKind(
    "link.acknowledgements_too_slow", "the acknowledgements took too long"
)
GREETING_REFUSED: Final = MessageKind("link.greeting_refused", "the host does not take the session")
HOST_SWITCHED: Final = MessageKind("link.host_switched", "the host sent a kind of message that is not known")
OUT_OF_STEP: Final = MessageKind("link.out_of_step", "an earlier refusal leaves open what the host sends next")
NO_CONNECTION_LEFT: Final = MessageKind("link.none_left", "no connection is left")
HANDSHAKE_FAILED: Final = MessageKind("link.handshake_failed", "the TLS handshake failed: {reason}")
HOST_REFUSED: Final = MessageKind("host.refused", "the host refused the request with the error {code}")
TICKET_ANSWERED: Final = MessageKind("host.ticket_answered", "the host answered the ticket with an error")
MALFORMED: Final = MessageKind("host.malformed", "the host sent something that the protocol does not allow")
GIVEN_UP: Final = MessageKind(
    "transport.given_up", "{reason}; given up after {attempts} {attempts:attempt/attempts}"
)
EARLIER_WRITES_LOST: Final = MessageKind("transport.earlier_writes_lost", "earlier writes were lost: {reason}")

NO_FILES: Final = MessageKind("transport.no_files", "the platform gives no files out")
NO_TICKETS: Final = MessageKind("transport.no_tickets", "the platform gives no NFC tickets")
NO_NFS: Final = MessageKind("transport.no_nfs", "the platform does not say which datastores are on NFS servers")
READS_ONLY: Final = MessageKind("transport.reads_only", "it only reads; restoring needs NFC")
NOT_LOCAL: Final = MessageKind("transport.not_local", "the disk is on the platform, not on this machine")
NO_MODE_ALLOWED: Final = MessageKind("transport.no_mode_allowed", "no mode is allowed")

IS_DELTA: Final = MessageKind("disk.is_delta", "its file is a delta, which holds only part of the disk")
IS_ENCRYPTED: Final = MessageKind(
    "disk.is_encrypted",
    "the disk is encrypted, and a file that is fetched holds its encrypted bytes; only its host reads it in plain",
)
SEVERAL_EXTENTS: Final = MessageKind(
    "disk.several_extents", "its descriptor names {count} {count:extent/extents} instead of one plain file"
)
IN_OBJECT_STORE: Final = MessageKind("disk.in_object_store", "its data is in {store}, which has no file for it")
OTHER_FORMAT: Final = MessageKind(
    "disk.other_format", "its data has the format {format}, not that of a plain file"
)
NO_DESCRIPTOR: Final = MessageKind("disk.no_descriptor", "{file} is not the descriptor of a disk")
NO_SUCH_FILE: Final = MessageKind(
    "disk.no_such_file", "there is no file {file} to fetch; disks on vSAN and vVol datastores have none"
)
WHOLE_FILES_ONLY: Final = MessageKind("disk.whole_files_only", "the web server sends whole files only, not ranges")
FILE_TOO_SHORT: Final = MessageKind("disk.file_too_short", "{file} is shorter than its descriptor says")
TABLES_DAMAGED: Final = MessageKind(
    "disk.tables_damaged", "the tables in {file} are damaged, or of a version that is not known"
)
JOURNAL_OPEN: Final = MessageKind(
    "disk.journal_open", "{file} was not closed in order: changes in its journal are not in its tables yet"
)
SIZES_DIFFER: Final = MessageKind("disk.sizes_differ", "the disk and its parents differ in size")
CHAIN_TOO_LONG: Final = MessageKind("disk.chain_too_long", "it has more than {count} {count:parent/parents}")
PARENT_CHANGED: Final = MessageKind(
    "disk.parent_changed", "{file} has been changed since the snapshot that stands on it was made"
)
PARENT_ELSEWHERE: Final = MessageKind("disk.parent_elsewhere", "its parent {path} lies on another datastore")
NOT_ON_NFS: Final = MessageKind("disk.not_on_nfs", "the datastore {datastore} is not on an NFS server")
NFS_ANSWERED: Final = MessageKind("nfs.answered", "the NFS server refused the request")
NFS_NOT_OFFERED: Final = MessageKind("nfs.not_offered", "{host} does not offer NFS 3 over TCP")

NO_HOTADD: Final = MessageKind("hotadd.not_offered", "the platform cannot attach disks to VMs")
LINUX_ONLY: Final = MessageKind("hotadd.linux_only", "the engine does not run on Linux")
NO_VMWARE_MACHINE: Final = MessageKind("hotadd.no_vmware_machine", "the engine does not run in a VM on vSphere")
UUID_UNREADABLE: Final = MessageKind(
    "hotadd.uuid_unreadable",
    "the UUID of this machine cannot be read ({reason}); only root may read it, so the engine has to run as root",
)
GUEST_HAS_IT: Final = MessageKind(
    "hotadd.has_it", "this system has a disk with the serial number {uuid} already: {names}"
)
GUEST_SHOWS_NONE: Final = MessageKind(
    "hotadd.shows_none",
    "the disk was attached, but within {seconds} s this system showed none with the serial number {uuid} below "
    "/dev/disk/by-id",
)
GUEST_SHOWS_SEVERAL: Final = MessageKind(
    "hotadd.shows_several", "several disks of this system have the serial number {uuid}: {names}"
)
GUEST_SHOWS_ANOTHER: Final = MessageKind(
    "hotadd.shows_another", "{name} has the serial number of the disk, but is unit {found} and not {unit}"
)
READ_TOO_SLOW: Final = MessageKind("hotadd.read_too_slow", "the device gave nothing for {seconds} s")
WRITE_TOO_SLOW: Final = MessageKind("hotadd.write_too_slow", "the device took nothing for {seconds} s")
ENDS_EARLY: Final = MessageKind("hotadd.ends_early", "the device ends before its last sector")
