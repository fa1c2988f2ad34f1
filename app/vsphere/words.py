"""What is asked of a platform: fits behind "refused to"."""

from typing import Final

from app.domain.messages import MessageKind, Word


class Operation(Word):
    """What a platform was asked to do."""

    ANSWER = "answer"
    LOG_IN = "log in"
    SHOW_CERTIFICATE = "show its certificate"
    READ_LICENSES = "read its licences"
    TELL_PRIVILEGES = "show the account's privileges"
    LIST_VMS = "list its VMs"
    LIST_PLACES = "list its hosts and datastores"
    DESCRIBE_VM = "describe a VM"
    FIND_VM = "look for a VM"
    PLAN_VM = "plan a VM"
    CREATE_VM = "create a VM"
    CREATE_DISK = "create a disk"
    RECONFIGURE_VM = "reconfigure a VM"
    RENAME_VM = "rename a VM"
    DELETE_VM = "delete a VM"
    MARK_AS_TEMPLATE = "make a template of a VM"
    SET_IDENTITY = "set the identity of a VM"
    ORDER_VMS = "order the VMs of a vApp"
    MOUNT_NFS = "mount an NFS datastore"
    UNMOUNT_NFS = "unmount an NFS datastore"
    LIST_MOUNTS = "list the hosts that mount a datastore"
    REGISTER_VM = "register a VM"
    UNREGISTER_VM = "remove a VM from the inventory"
    MOVE_STORAGE = "move the files of a VM"
    SHOW_GUEST = "report on a guest system"
    TAKE_SCREENSHOT = "take a picture of a console"
    DELETE_FILE = "delete a file of a datastore"
    POWER_ON = "power on a VM"
    POWER_OFF = "power off a VM"
    SWITCH_TRACKING_ON = "switch changed block tracking on"
    SWITCH_TRACKING = "switch changed block tracking"
    RESET_TRACKING = "reset changed block tracking"
    TELL_CHANGES = "report changed blocks"
    TELL_HISTORY = "report the history"
    TELL_HISTORY_OF_VM = "report the history of a VM"
    CREATE_SNAPSHOT = "create a snapshot"
    CREATE_SNAPSHOTS = "create snapshots"
    LOOK_AT_SNAPSHOT = "look at a snapshot"
    REMOVE_SNAPSHOT = "remove a snapshot"
    CHANGE_SNAPSHOT = "take or remove a snapshot"
    CONSOLIDATE_DISKS = "consolidate the disks of a VM"
    FIND_SNAPSHOTS = "look for snapshots"
    END_TASK = "end a task"
    OPEN_DISK = "open a disk"
    OPEN_DISKS_OVER_NFC = "open disks over NFC"
    ATTACH_DISK = "attach a disk"
    DETACH_DISK = "detach a disk"
    ADDRESS_FILE = "address a datastore file"


READ_FILE: Final = MessageKind("vsphere.read_file", "read {path}")
WRITE_FILE: Final = MessageKind("vsphere.write_file", "write {path}")
