"""Errors of instant recovery."""

from app.domain.errors import OperationalError


class RecoveryUnknown(OperationalError):
    """No instant recovery has this id."""

    code = "instant.unknown"
    message_template = "There is no such instant recovery any more."
    hint_template = "Refresh the list."


class RecoveryBusy(OperationalError):
    """Another task works at the recovery."""

    code = "instant.busy"
    message_template = "Another task works at the instant recovery of {vm}."
    hint_template = "Wait until it has ended, or stop it first."
    retryable = True


class RecoveryNotServed(OperationalError):
    """The VM of a recovery does not run from here now."""

    code = "instant.not_served"
    message_template = "The instant recovery of {vm} does not run."
    hint_template = "Start it again first."


class RecoveryNotStopped(OperationalError):
    """A recovery has to be stopped for what was asked."""

    code = "instant.not_stopped"
    message_template = "The instant recovery of {vm} is not stopped."
    hint_template = "Stop it first, and keep what it wrote."


class InstantUnsupported(OperationalError):
    """The platform's kind cannot run VMs from here."""

    code = "instant.unsupported"
    message_template = "{platform} cannot run VMs from restore points."
    hint_template = "Restore the VM instead: that copies it back."


class InstantUnavailable(OperationalError):
    """This engine has nothing that serves."""

    code = "instant.unavailable"
    message_template = "This engine cannot run VMs from restore points."
    hint_template = "Use the engine that the program or its service starts."


class NoAddressToServe(OperationalError):
    """This machine has no address at which a host could find it."""

    code = "instant.no_address"
    message_template = "This machine has no address from which the host {host} can be reached: {detail}."
    hint_template = "Connect this machine to the host's network, or choose the address by hand."


class NotServed(OperationalError):
    """What is to be served is not."""

    code = "instant.not_serving"
    message_template = "The service of this machine does not serve the restore point of {vm}."
    hint_template = "Look into the log file of the program, and try again."
    retryable = True


class KeyNotGiven(OperationalError):
    """The serving process has no key for an encrypted repository."""

    code = "instant.key_missing"
    message_template = "The repository of {vm} is encrypted, and its key is not known here."
    hint_template = "Unlock the standby machine with its passphrase or a recovery key."


class NeededByRecovery(OperationalError):
    """A platform, a standby or a pin is needed by a recovery that is in the list."""

    code = "instant.needed"
    message_template = "{name} is needed by the instant recovery of {vm}."
    hint_template = "End that recovery first."


class MovedVmDiffers(OperationalError):
    """A copied disk is not what the VM had."""

    code = "instant.copy_differs"
    message_template = "The copy of {disk} differs from what the VM wrote, at offset {offset}."
    hint_template = "The VM still runs from its restore point; check the target datastore, and move it again."


class HasSnapshots(OperationalError):
    """A VM with snapshots of its own cannot be copied as a whole."""

    code = "instant.has_snapshots"
    message_template = "{vm} has snapshots of its own."
    hint_template = "Delete them on the platform, then try again."


class VmOfRecoveryGone(OperationalError):
    """The VM of a recovery is not on the platform."""

    code = "instant.vm_gone"
    message_template = "The VM {vm} is not on the platform any more."
    hint_template = "What it wrote is still here: stop the instant recovery and keep that, then start it again."


class RecoveryNotMoved(OperationalError):
    """The platform says that a VM was moved, and it was not, or not whole."""

    code = "instant.not_moved"
    message_template = "{vm} still has disks on the datastore of this machine."
    hint_template = "Look at the VM on the platform, then move it again."


class HasOtherDisks(OperationalError):
    """A VM got disks since it was started that are not among those of its restore point."""

    code = "instant.other_disks"
    message_template = "{vm} has disks that its restore point does not hold: {disks}."
    hint_template = "Move it while it runs, or remove these disks first."


class CopyGone(OperationalError):
    """The compared copy of a VM is not on the platform any more."""

    code = "instant.copy_gone"
    message_template = "The copy of {vm} is not on the platform any more."
    hint_template = "What it wrote is still here: stop the instant recovery and keep that, then start it again."
