"""Errors that only the vSphere adapter knows."""

from app.domain.errors import OperationalError


class CertificateUntrusted(OperationalError):
    """No authority that this machine trusts signed the certificate, and no one confirmed it."""

    code = "platform.certificate_untrusted"
    message_template = "The certificate of {address} is not trusted: {detail}."
    hint_template = (
        "Compare its SHA-256 thumbprint with the one on the server, then confirm it under Virtual platforms."
    )


class NotVSphere(OperationalError):
    """Something answers at the address, but it is not vSphere, or one too old."""

    code = "platform.not_vsphere"
    message_template = "{address} does not answer as a vCenter or ESXi host of version 6.5 or newer: {detail}."
    hint_template = "Check the address and the port."


class AnswerRefused(OperationalError):
    """Something answers at the address, and no right answer of a platform is like that."""

    code = "platform.answer_refused"
    message_template = "{address} gave an answer that this program does not take: {detail}."
    hint_template = (
        "Check that the address is the platform's own and that there is no proxy or scanner in between; restart "
        "the management service of the platform if it is."
    )


class PlatformRefused(OperationalError):
    """The platform did not do what it was asked for."""

    code = "platform.refused"
    message_template = "{address} refused to {operation}: {detail}."
    hint_template = "Look at the recent tasks and events in vCenter or on the host."


class PlatformBusy(OperationalError):
    """The object is in use by another task, or a host does not answer vCenter; later it may work."""

    code = "platform.busy"
    message_template = "{address} cannot {operation} right now: {detail}."
    hint_template = "Wait until the other task has ended, or until the host is connected again."
    retryable = True


class DisksStillUnconsolidated(OperationalError):
    """The platform consolidated the disks of a VM, and some still need it."""

    code = "vm.disks_still_unconsolidated"
    message_template = "The disks of {vm} still need consolidation after the platform has consolidated them."
    hint_template = (
        "Close what has a disk of the VM open, such as another backup program, and consolidate them again."
    )
    retryable = True


class DatastoreFull(OperationalError):
    """There is no space left on a datastore."""

    code = "platform.datastore_full"
    message_template = "{address} could not {operation}, for a datastore is full: {detail}."
    hint_template = "Free space on the datastore, then run the task again."
    retryable = True


class PlatformTaskTimedOut(OperationalError):
    """A task of the platform did not end in time."""

    code = "platform.task_timed_out"
    message_template = "{address} did not {operation} within {seconds} {seconds:second/seconds}."
    hint_template = "Look whether the task still runs in vCenter, and what it waits for."
    retryable = True


class PlatformTaskStandsStill(PlatformTaskTimedOut):
    """A task of the platform runs, and nothing has moved for a long time."""

    code = "platform.task_stands_still"
    message_template = (
        "{address} still tries to {operation}, but nothing has moved for {seconds} {seconds:second/seconds}."
    )
    hint_template = "Look in vCenter or on the host what the task waits for; it was not cancelled."


class SessionClosed(OperationalError):
    """The session was closed while something still used it."""

    code = "platform.session_closed"
    message_template = "The session at {address} is closed."
    hint_template = "Run the task again."
    retryable = True


class OperationUnsupported(OperationalError):
    """The platform does not know this operation."""

    code = "platform.unsupported"
    message_template = "{address} cannot {operation}: {detail}."
    hint_template = "The version or edition of the platform does not offer this."


class DatastoreUnknown(OperationalError):
    """A datastore cannot be found, or its name is not clear."""

    code = "platform.datastore_unknown"
    message_template = "{address} cannot address the datastore {datastore}: {detail}."
    hint_template = "Check that the datastore is mounted, and that its name is used once only."


class DiskNotAttachable(OperationalError):
    """A disk cannot be attached to the VM that this program runs in."""

    code = "platform.disk_not_attachable"
    message_template = "{path} cannot be attached to the machine that this program runs on: {detail}."
    hint_template = "Change that, or let another transport mode be used."


class DiskNotDetached(OperationalError):
    """A disk is still attached to the VM that this program runs in."""

    code = "platform.disk_not_detached"
    message_template = "{path} could not be detached from {machine}: {detail}."
    hint_template = (
        "It is tried again before the next backup and at the next start. To do it by hand, remove the disk in the "
        "settings of {machine}, but do not choose to delete its files."
    )
    retryable = True


class HistoryIncomplete(OperationalError):
    """The platform does not remember everything that happened to a VM in the time that matters."""

    code = "platform.history_incomplete"
    message_template = "The event history of {address} does not show everything that happened to the VM: {detail}."
    hint_template = "Let the platform keep its events for longer than the time between two backups."


class VmLeftBehind(OperationalError):
    """A VM could not be created completely, and what exists of it could not be removed either."""

    code = "vm.left_behind"
    message_template = "The VM {vm} could not be created completely, nor what there is of it removed: {detail}."
    hint_template = "Look on the platform for a powered-off VM of this name, made just now, and delete it there."


class ConfigurationUnreadable(OperationalError):
    """A saved VM configuration is not one, or was written by a newer program."""

    code = "vm.configuration_unreadable"
    message_template = "The saved configuration cannot be read: {detail}."
    hint_template = "Use another restore point, or a newer version of this program."
