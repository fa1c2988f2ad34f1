"""Errors of the engine."""

from app.domain.errors import OperationalError


class PlatformUnknown(OperationalError):
    """No platform has this id."""

    code = "engine.platform_unknown"
    message_template = "The virtual platform {platform} is not registered."
    hint_template = "Register it under Virtual platforms."


class StandbyUnknown(OperationalError):
    """No standby machine has this id."""

    code = "engine.standby_unknown"
    message_template = "The standby machine {standby} is not registered."
    hint_template = "Register it under Standby machines."


class TaskUnknown(OperationalError):
    """No task has this id."""

    code = "engine.task_unknown"
    message_template = "There is no task {task}."
    hint_template = "Refresh the list of tasks."


class TaskNotEnded(OperationalError):
    """A task that still waits or runs was to be run again."""

    code = "engine.task_not_ended"
    message_template = "The task of {task} has not ended yet."
    hint_template = "Wait until it has ended, or stop it first."


class PlacesUnknown(OperationalError):
    """The platform's kind cannot list what a restore can choose among."""

    code = "engine.places_unknown"
    message_template = "{platform} cannot list its hosts and datastores."
    hint_template = "Leave the choice open: the VM goes back to where it came from."


class AlreadyRegistered(OperationalError):
    """Another entry has this name, address or path."""

    code = "engine.already_registered"
    message_template = "{what} is registered already, as {name}."
    hint_template = "Use the existing entry, or choose another name, address or path."


class OtherPlatform(OperationalError):
    """At the new address of a platform another one answers."""

    code = "engine.other_platform"
    message_template = "What answers at {address} is another platform than {name}: it has another instance UUID."
    hint_template = "Check the address. To back up the other platform too, register it as one of its own."


class PlatformUnproven(OperationalError):
    """Whether the same platform answers at its new address cannot be told."""

    code = "engine.platform_unproven"
    message_template = "Whether what answers at {address} is still the platform {name} cannot be told."
    hint_template = "Look whether it is the same server, then confirm that it is."


class TasksStillRun(OperationalError):
    """The program is not ended, because tasks run."""

    code = "program.tasks_run"
    message_template = "{count} {count:task is/tasks are} running; nothing was ended."
    hint_template = (
        "Wait until they are done, or order that they are stopped: what they have not finished is lost."
    )


class EntriesNotClosed(OperationalError):
    """Files or folders of a standby machine could not be closed to other users."""

    code = "standby.not_closed"
    message_template = (
        "{count} {count:file or folder/files and folders} of {name} {count:is/are} still open to other "
        "users. The first: {paths}"
    )
    hint_template = (
        "They may belong to another user: let their owner or an administrator take the rights "
        "(chmod go= FILE), then close the standby machine again."
    )


class LinkedNotClosed(OperationalError):
    """Files of a standby machine have names elsewhere and were not closed to other users."""

    code = "standby.linked_not_closed"
    message_template = (
        "{count} {count:file/files} of {name} {count:has/have} further names (hard links), perhaps "
        "outside of the repository, and {count:is/are} still open to other users. The first: {paths}"
    )
    hint_template = (
        "Remove the other names and close the standby machine again; where all names are yours, take the rights "
        "by hand (chmod go= FILE)."
    )


class RightsNotKept(OperationalError):
    """The file system of a standby machine keeps no rights."""

    code = "standby.rights_not_kept"
    message_template = "The file system at {path} keeps no rights of users; what is there stays open to others."
    hint_template = (
        "Restrict it where it is mounted (options uid=, fmask=0177 and dmask=0077) or on its file server, or keep "
        "the backups on a file system with rights, such as ext4 or XFS."
    )


class StandbyCopied(OperationalError):
    """A directory carries the mark of another standby machine that is registered."""

    code = "standby.copied"
    message_template = (
        "{path} carries the mark of the standby machine {name}, which is registered at {original}: it is a copy."
    )
    hint_template = (
        "If both stay in use, register it with an identity of its own. If the original was moved here, change the "
        "path of {name} instead."
    )


class StillInUse(OperationalError):
    """Tasks that have not ended need it, or it is offered over NBD."""

    code = "engine.still_in_use"
    message_template = "{name} is in use by tasks that have not ended, or over NBD."
    hint_template = "Wait until that has ended or stop it, then try again."


class PasswordMissing(OperationalError):
    """The platform's password is not in the secret store."""

    code = "engine.password_missing"
    message_template = "The password of {name} is not known on this machine."
    hint_template = "Enter it again under Virtual platforms."


class TemplateChanged(OperationalError):
    """A template was changed, or made a VM of, while it was read."""

    code = "backup.template_changed"
    message_template = "The template {vm} was changed while it was read: what was read may be of several moments."
    hint_template = "No restore point was made. Run the backup again when nobody works on the template."
    retryable = True


class VmNotBackedUp(OperationalError):
    """No backup of this VM is made, whatever its disks are."""

    code = "backup.vm_not_backed_up"
    message_template = "{vm} is not backed up: {reason}."
    hint_template = "Take it out of the rule, and put the VM in that holds its data."


class NothingToBackUp(OperationalError):
    """No disk of the VM can be backed up."""

    code = "backup.nothing_to_back_up"
    message_template = "{vm} has no disk that can be backed up."
    hint_template = "Give it a dependent disk, or take the VM out of the rule; the log names each disk's reason."


class WrongRepository(OperationalError):
    """The repository at the standby path is not the one from before."""

    code = "engine.wrong_repository"
    message_template = "The repository at {path} ({found}) is not the one registered ({expected})."
    hint_template = "Check that the right disk or share is mounted, or register the path as a new standby machine."


class TaskInterrupted(OperationalError):
    """The program ended while the task ran."""

    code = "task.interrupted"
    message_template = "The program ended while the task was running."
    hint_template = "What it had created on the platform is cleaned up. Run the task again."
    retryable = True


class InternalFailure(OperationalError):
    """A bug of ours ended the task."""

    code = "task.internal"
    message_template = "The task ended because of an error in the program: {detail}."
    hint_template = "The program's log file holds the details; please send it to support."


class IdOfAnotherVm(OperationalError):
    """The managed object id of a VM belongs to another VM now."""

    code = "vm.id_of_another"
    message_template = "Another VM has this id: {vm} on {address} is {found} now, not {expected}."
    hint_template = (
        "Nothing was backed up and no restore point was removed. Take {expected} out of the rule if it is gone; "
        "to protect {found}, add it to a rule."
    )


class VmUnderAnotherId(OperationalError):
    """A VM is not there under its id; whether another one is this VM is not certain."""

    code = "vm.under_another_id"
    message_template = "The VM {name} is not on {address} under its id {vm} any more."
    hint_template = (
        "It may be there under another id: {found}. If one of these is the VM, take {name} out of the rule and "
        "add that one."
    )


class OriginalUnsure(OperationalError):
    """It is not certain whether a VM is the original of a restore point."""

    code = "restore.original_unsure"
    message_template = "It is not certain whether {found} on {address} is the VM {name} of the restore point."
    hint_template = (
        "Nothing was changed. Compare the VMs in the restore dialog and confirm the one to be replaced, or "
        "restore as a new VM."
    )


class OriginalIsAnother(OperationalError):
    """Another VM has what the original was known by."""

    code = "restore.original_is_another"
    message_template = "{found} on {address} has the instance UUID of {name}, but is another VM."
    hint_template = "Nothing was changed. Restore as a new VM."


class OriginalChanged(OperationalError):
    """The VM that was to be replaced is not the one that was confirmed."""

    code = "restore.original_changed"
    message_template = "The VM to be replaced is not the confirmed one any more: {expected} on {address}."
    hint_template = "It was not changed. Look at it on the platform, then start the restore again."


class DisksNotHeld(OperationalError):
    """The original has disks that the restore point does not hold: they would be deleted with it."""

    code = "restore.disks_not_held"
    message_template = "{vm} has disks that the restore point does not hold: {disks}"
    hint_template = (
        "The VM was not changed, for these disks would be deleted with it. Detach them from it on the platform "
        "without deleting their files and attach them to the restored VM afterwards, or restore as a new VM."
    )


class VmNameTaken(OperationalError):
    """A VM of that name is there already."""

    code = "restore.name_taken"
    message_template = "The folder on {address} that the VM goes to has a {name} already."
    hint_template = "Choose another name for the restored VM."


class RestoredDataDiffers(OperationalError):
    """What was read back from the restored VM is not what the restore point holds."""

    code = "restore.data_differs"
    message_template = "{disk} of the restored VM differs from the restore point at byte {offset}."
    hint_template = "The restored VM was removed and the original was not touched. Check the target datastore."


class RestorePointDamaged(OperationalError):
    """A verification found damage."""

    code = "verify.damaged"
    message_template = "The restore point {point} is damaged in {count} {count:place/places}; the first: {first}"
    hint_template = "Restore from another point; the next full backup of the VM makes a whole one."


class RequestRefused(OperationalError):
    """What was asked for makes no sense."""

    code = "engine.request_refused"
    message_template = "The request cannot be carried out: {detail}."
    hint_template = "Correct what was entered and try again."


class AddressUnusable(OperationalError):
    """What was entered is no address of a server."""

    code = "engine.address_unusable"
    message_template = "{address}:{port} is no address of a server."
    hint_template = (
        "Enter the name or IP address alone, without https://, account or path, and a port from 1 to 65535."
    )


class AddressLinkLocal(OperationalError):
    """What was entered is an address that only one network interface knows."""

    code = "engine.address_link_local"
    message_template = "{address} is known on one network only, through one interface of this machine."
    hint_template = "Enter the name of the server, or an address of it that other networks know too."


class UsedByRules(OperationalError):
    """Backup rules need it."""

    code = "engine.used_by_rules"
    message_template = "{name} is used by the backup rules {rules}."
    hint_template = "Delete these rules first."


class EncryptionMissing(OperationalError):
    """A repository that must be encrypted is not, or shows names that it must hide."""

    code = "engine.encryption_missing"
    message_template = "The repository at {path} is not encrypted as it must be on the standby machine {name}."
    hint_template = (
        "Nothing was read or written there. Another repository was put in its place; "
        "bring the right one back, or register this directory as a standby machine of its own."
    )


class PlainDataThere(OperationalError):
    """Encryption was asked for where restore points lie that are not encrypted."""

    code = "engine.plain_data_there"
    message_template = "{path} holds restore points that are not encrypted, in {directories}."
    hint_template = (
        "They stay as they are. Register an empty directory with encryption and make the rules keep new "
        "restore points there; delete the old ones when they are not needed any more."
    )


class PassphraseWeak(OperationalError):
    """A passphrase could be guessed."""

    code = "engine.passphrase_weak"
    message_template = "This passphrase could be guessed."
    hint_template = "Use several words that do not belong together, or at least 12 mixed characters."


class PassphraseNeeded(OperationalError):
    """A new repository has to be encrypted, and with which passphrase is not known."""

    code = "engine.passphrase_needed"
    message_template = "The standby machine {name} is encrypted, but this machine does not know its passphrase."
    hint_template = "Unlock it under Standby machines, or set a passphrase for it there."


class PassphraseChanged(OperationalError):
    """Another console gave the standby machine another passphrase."""

    code = "engine.passphrase_changed"
    message_template = "The passphrase of the standby machine {name} was changed on another machine."
    hint_template = "Unlock it under Standby machines with the new passphrase."


class NotEncrypted(OperationalError):
    """What was asked for makes sense only where backup data is encrypted."""

    code = "engine.not_encrypted"
    message_template = "The standby machine {name} is not encrypted."
    hint_template = "Choose encryption when you register a standby machine."


class NothingToUnlock(OperationalError):
    """There is no encrypted repository yet to try a passphrase on."""

    code = "engine.nothing_to_unlock"
    message_template = "There is no encrypted repository on the standby machine {name} yet."
    hint_template = "Set a passphrase for it; the first backup makes a repository with it."


class RecoveryKeysFull(OperationalError):
    """There are as many recovery keys as can be kept."""

    code = "engine.recovery_keys_full"
    message_template = "The standby machine {name} has {count} recovery {count:key/keys} already."
    hint_template = "Revoke them all, then make new ones where they are needed."


class OfferedBySocket(OperationalError):
    """A restore point that is offered by a socket was to be offered over TCP."""

    code = "engine.offered_by_socket"
    message_template = "The disks of the restore point {point} are offered already, by a Unix socket."
    hint_template = "Stop that offer first; then offer them over a TCP port."


class NoMoreOffers(OperationalError):
    """Disks were to be offered while the engine ends."""

    code = "engine.no_more_offers"
    message_template = "The engine is ending and offers no disks any more."
    hint_template = "Offer them again once it runs again."


class GroupUnknown(OperationalError):
    """A standby machine was to be for a group that is not there."""

    code = "standby.group_unknown"
    message_template = "This machine has no group {group}."
    hint_template = (
        "Choose a group that the engine's user is in. On Windows the access list of the folder decides."
    )


class GroupRefused(OperationalError):
    """A folder cannot be opened to a group."""

    code = "standby.group_refused"
    message_template = "{path} cannot be opened to the group {group}: {detail}."
    hint_template = (
        "The engine's user must own the folder and be in the group, and the file system must keep such rights. Or "
        "let an administrator prepare the folder (chgrp, chmod 2770)."
    )


class KeepsItsRights(OperationalError):
    """A group was chosen for a folder that holds backup data of before."""

    code = "standby.keeps_its_rights"
    message_template = "{path} holds backup data already, which keeps its rights."
    hint_template = "Register it without a group, or choose an empty directory for the group."
