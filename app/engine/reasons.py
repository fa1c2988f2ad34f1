"""Why a request cannot be carried out: the reasons inside the errors and log lines of the engine."""

from typing import Final

from app.domain.messages import MessageKind, Word

PATH_NOT_ABSOLUTE: Final = MessageKind("request.path_not_absolute", "the path {path} is not absolute")
ENCRYPTED_ALREADY: Final = MessageKind("request.encrypted_already", "{standby} is encrypted already")
NO_RULE: Final = MessageKind("request.no_rule", "there is no rule {rule}")
NO_FOLDER: Final = MessageKind("request.no_folder", "there is no folder {folder}")
DISKS_NOT_HELD: Final = MessageKind("request.disks_not_held", "the restore point does not hold all of these disks")
NO_VDDK_HERE: Final = MessageKind("request.no_vddk_here", "the transports of this engine take no VDDK")
LIMITS_TOO_SMALL: Final = MessageKind("request.limits_too_small", "both limits have to be at least 1")
NO_SUCH_PIN: Final = MessageKind("request.no_such_pin", "{pin} is not the id of a pin")
TASK_USES: Final = MessageKind("rule.task_uses", "{task} of {vm}")
PIN_USES: Final = MessageKind("rule.pin_uses", "{purpose} of {vm} on {host}")
NO_VM_NAMED: Final = MessageKind("request.no_vm_named", "no VM is named")
GROUP_TWICE: Final = MessageKind("request.group_twice", "a group restore names each VM once, and at least one")
NAME_LENGTH: Final = MessageKind("request.name_length", "a VM's name has 1 to {most} characters")
NAME_EMPTY: Final = MessageKind("request.name_empty", "a name or an address is empty")
PATH_NOT_UTF8: Final = MessageKind("request.path_not_utf8", "the standby path {path} is not UTF-8 text")
NO_CERTIFICATES: Final = MessageKind("request.no_certificates", "this kind of platform shows no certificates")
NEITHER_RULE_NOR_DRAFT: Final = MessageKind(
    "request.neither_rule_nor_draft", "neither a rule nor a draft is named"
)
PLATFORM_NAMED: Final = MessageKind("registered.platform", "a platform named {platform}")
STANDBY_NAMED: Final = MessageKind("registered.standby", "a standby machine named {standby}")

NO_DIRECTORY: Final = MessageKind("standby.no_directory", "the directory is not there")
MARK_MISSING: Final = MessageKind(
    "standby.mark_missing", "it lacks {file}, which was written when it was registered"
)
OTHER_STANDBY: Final = MessageKind("standby.other_standby", "it is another standby machine's directory now")
NOT_UTF8: Final = MessageKind("standby.not_utf8", "it is not UTF-8 text")
NOT_ABSOLUTE: Final = MessageKind("standby.not_absolute", "it is not absolute")
NO_ANSWER: Final = MessageKind("standby.no_answer", "it does not answer")
ENTRY: Final = MessageKind("standby.entry", "{path}")
ENTRY_REFUSED: Final = MessageKind("standby.entry_refused", "{path} ({reason})")

LACKS_DISKS: Final = MessageKind("restore.lacks_disks", "it lacks {disks}")
ENDED_RIGHT_THEN: Final = MessageKind("restore.ended_right_then", "the program ended right then")
PLACE_OF_DAMAGE: Final = MessageKind("verify.place", "disk {disk}, bytes {start} to {end}")
CONVERTER_FAILED: Final = MessageKind("export.converter_failed", "qemu-img ended with the status {status}")
UNEXPECTED: Final = MessageKind("task.unexpected", "an unexpected error of the kind {kind}")
BAD_CHANGE_ID: Final = MessageKind("plan.bad_change_id", "its change id cannot be read")


class MapSource(Word):
    """Who named the parts of a disk that hold data."""

    TRACKING = "change tracking"
    TRANSPORT = "the transport"
