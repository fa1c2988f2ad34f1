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
    """The platform's kind cannot tell what a restore can choose among."""

    code = "engine.places_unknown"
    message_template = "{platform} cannot tell its hosts and datastores."
    hint_template = "Leave the choice open: the VM goes back to where it came from."


class AlreadyRegistered(OperationalError):
    """Another entry has this name, address or path."""

    code = "engine.already_registered"
    message_template = "{what} is registered already, as {name}."
    hint_template = "Use the existing entry, or choose another name, address or path."


class StillInUse(OperationalError):
    """Tasks that have not ended need it."""

    code = "engine.still_in_use"
    message_template = "{name} is used by tasks that have not ended."
    hint_template = "Wait until they have ended or stop them, then try again."


class PasswordMissing(OperationalError):
    """The platform's password is not in the secret store."""

    code = "engine.password_missing"
    message_template = "The password of {name} is not known on this machine."
    hint_template = "Enter it again under Virtual platforms."


class NothingToBackUp(OperationalError):
    """No disk of the VM can be backed up."""

    code = "backup.nothing_to_back_up"
    message_template = "{vm} has no disk that can be backed up."
    hint_template = "Give it a dependent disk, or take the VM out of the rule; the log names each disk's reason."


class WrongRepository(OperationalError):
    """Another repository than before lies at the standby path."""

    code = "engine.wrong_repository"
    message_template = "At {path} lies another repository ({found}) than the one registered ({expected})."
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
    message_template = "The task ended because of an error in the program: {detail}"
    hint_template = "The program's log file holds the details; please send it to support."


class VmNameTaken(OperationalError):
    """A VM of that name is there already."""

    code = "restore.name_taken"
    message_template = "A VM named {name} is on {address} already."
    hint_template = "Choose another name for the restored VM."


class RestoredDataDiffers(OperationalError):
    """What was read back from the restored VM is not what the restore point holds."""

    code = "restore.data_differs"
    message_template = "{disk} of the restored VM differs from the restore point at byte {offset}."
    hint_template = "The restored VM was removed and the original was not touched. Check the target datastore."


class RestorePointDamaged(OperationalError):
    """A verification found damage."""

    code = "verify.damaged"
    message_template = "The restore point {point} is damaged in {count} places; the first: {first}"
    hint_template = "Restore from another point; the next full backup of the VM makes a whole one."


class RequestRefused(OperationalError):
    """What was asked for makes no sense."""

    code = "engine.request_refused"
    message_template = "The request cannot be carried out: {detail}"
    hint_template = "Correct what was entered and try again."


class UsedByRules(OperationalError):
    """Backup rules need it."""

    code = "engine.used_by_rules"
    message_template = "{name} is used by the backup rules {rules}."
    hint_template = "Delete these rules first."
