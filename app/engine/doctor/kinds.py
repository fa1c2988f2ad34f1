"""Everything that the doctor can find. The words are templates; the reader fills in the parameters."""

from typing import ClassVar

from app.contract.doctor import Finding, Severity
from app.domain.errors import OperationalError
from app.domain.messages import param_values, sentence


class FindingKind:
    """A kind of finding: what it is called, how much it matters, its words and its remedy."""

    code: ClassVar[str]
    severity: ClassVar[Severity] = Severity.OK
    message_template: ClassVar[str]
    hint_template: ClassVar[str] = ""

    @classmethod
    def about(cls, subject: str, **params: object) -> Finding:
        """Make a finding of this kind.

        Raises:
            KeyError: a template names a parameter that was not given.
        """
        values = param_values(params)
        sentence(cls.message_template, values)
        sentence(cls.hint_template, values)
        return Finding(
            severity=cls.severity,
            subject=subject,
            code=cls.code,
            params=values,
            message=cls.message_template,
            hint=cls.hint_template,
        )


def of_error(subject: str, error: OperationalError, severity: Severity = Severity.ERROR) -> Finding:
    """Make a finding of an error, with the error's own words."""
    return Finding(
        severity=severity,
        subject=subject,
        code=error.code,
        params=tuple(sorted(error.params.items())),
        message=error.message_template,
        hint=error.hint_template,
    )


# --- platforms -------------------------------------------------------------------------------------------------


class LoginWorks(FindingKind):
    """The platform answers and accepts the account."""

    code = "doctor.login_works"
    message_template = "{address}:{port} answers, and the account {user} can log in: {name}"


class VersionSupported(FindingKind):
    """The version is one that we work with."""

    code = "doctor.version_supported"
    message_template = "API version {version} is supported"


class VersionTooOld(FindingKind):
    """The version lacks what we need."""

    code = "doctor.version_too_old"
    severity = Severity.ERROR
    message_template = "API version {version} is older than {oldest}"
    hint_template = "Update the platform to vSphere 6.5 or newer."


class PlainTransportAllowed(FindingKind):
    """Disks may travel unencrypted."""

    code = "doctor.plain_transport_allowed"
    severity = Severity.WARNING
    message_template = "Disks may travel unencrypted between the ESXi hosts and this machine"
    hint_template = (
        "Switch plain transport off in the settings of the platform, unless the network between is trusted."
    )


class ClockAgrees(FindingKind):
    """The platform's clock shows what ours shows."""

    code = "doctor.clock_agrees"
    message_template = "The platform's clock agrees with this machine's"


class ClockDiffers(FindingKind):
    """The platform's clock shows another time."""

    code = "doctor.clock_differs"
    severity = Severity.WARNING
    message_template = "The platform's clock and this machine's differ by {hours} {hours:hour/hours}"
    hint_template = (
        "Set both by NTP. Until they agree, expired restore points stay; which restore points a revert has made "
        "useless is found all the same."
    )


class StandbyClockDiffers(FindingKind):
    """The clock of the standby machine's file server shows another time."""

    code = "doctor.standby_clock_differs"
    severity = Severity.WARNING
    message_template = "The clocks of the standby machine and of this machine differ by {hours} {hours:hour/hours}"
    hint_template = "Set both by NTP. Until they agree, expired restore points stay."


class LicenseFine(FindingKind):
    """The license allows what we do."""

    code = "doctor.licence_fine"
    message_template = "The licence allows backups: {name}"


class PortOpen(FindingKind):
    """A port of a host can be reached."""

    code = "doctor.port_open"
    message_template = "Port {port} can be reached"


class PortClosed(FindingKind):
    """A port of a host cannot be reached."""

    code = "doctor.port_closed"
    severity = Severity.WARNING
    message_template = "Port {port} cannot be reached from this machine: {detail}."
    hint_template = (
        "Let this machine reach TCP port 902 of every ESXi host, and resolve its name; until then disks are read "
        "over HTTPS, which is slower, and cannot be restored."
    )


class CanServe(FindingKind):
    """VMs can run from restore points of this machine, as far as it is asked."""

    code = "doctor.can_serve"
    message_template = (
        "VMs can run from restore points of this machine, if the hosts reach TCP ports 111 and 2049 and UDP port "
        "111 of {address}"
    )


class HostDisconnected(FindingKind):
    """vCenter has let a host go."""

    code = "doctor.host_disconnected"
    severity = Severity.WARNING
    message_template = "The host is disconnected from vCenter: its VMs cannot be backed up"
    hint_template = "Connect the host again in vCenter."


class HostSilent(FindingKind):
    """A host does not answer vCenter."""

    code = "doctor.host_silent"
    severity = Severity.WARNING
    message_template = "The host does not answer vCenter: its VMs cannot be backed up"
    hint_template = "Look whether the host runs and its management network works."


# --- VMs -------------------------------------------------------------------------------------------------------


class VmRegisteredAgain(FindingKind):
    """A VM of the rule has another id."""

    code = "doctor.vm_registered_again"
    severity = Severity.NOTICE
    message_template = "The VM was registered again and has a new id ({new}); the next backup follows it"


class VmUnsure(FindingKind):
    """A VM has the id of the rule's VM, but not all that it was known by."""

    code = "doctor.vm_unsure"
    severity = Severity.WARNING
    message_template = "The VM has the id of the VM in the rule, but not all that it was known by"
    hint_template = "Look at it on the platform. If it is another VM, take it out of the rule."


class TrackingOn(FindingKind):
    """Changed block tracking is on."""

    code = "doctor.tracking_on"
    message_template = "Changed block tracking is on"


class TrackingWillBeOn(FindingKind):
    """The first backup switches changed block tracking on."""

    code = "doctor.tracking_will_be_on"
    severity = Severity.NOTICE
    message_template = "Changed block tracking is off; the first backup switches it on"


class TrackingStaysOff(FindingKind):
    """Changed block tracking is not switched on."""

    code = "doctor.tracking_stays_off"
    severity = Severity.WARNING
    message_template = (
        "Changed block tracking is off and the rule does not switch it on: every backup reads whole disks"
    )
    hint_template = (
        "Let the rule set quick backup up by itself, or switch change tracking on in the VM's settings."
    )


class TrackingBlockedBySnapshots(FindingKind):
    """Changed block tracking cannot be switched on while there are snapshots."""

    code = "doctor.tracking_blocked"
    severity = Severity.WARNING
    message_template = (
        "Changed block tracking is off and cannot be switched on while the VM has {count} "
        "{count:snapshot/snapshots}"
    )
    hint_template = "Delete the VM's snapshots; the next backup switches change tracking on then."


class TrackingUnsupported(FindingKind):
    """The VM is too old for changed block tracking."""

    code = "doctor.tracking_unsupported"
    severity = Severity.WARNING
    message_template = "The VM does not support changed block tracking: every backup reads whole disks"
    hint_template = "Raise the VM's hardware version to 7 or newer while it is powered off."


class TemplateIsRead(FindingKind):
    """It is a template."""

    code = "doctor.template"
    severity = Severity.NOTICE
    message_template = "It is a template: each backup reads all that holds data, without a snapshot"


class SnapshotsThere(FindingKind):
    """The VM has snapshots of others."""

    code = "doctor.snapshots_there"
    severity = Severity.NOTICE
    message_template = "The VM has {count} {count:snapshot that is/snapshots that are} not ours: {names}"
    hint_template = "Old snapshots grow and slow the VM down; delete those that are not needed."


class DiskLeftOut(FindingKind):
    """A disk cannot be backed up."""

    code = "doctor.disk_left_out"
    severity = Severity.WARNING
    message_template = "{disk} is left out of backups: {reason}."
    hint_template = "Change the disk's mode to dependent, or back its data up from inside the guest."


class NothingToBackUp(FindingKind):
    """No disk of the VM can be backed up."""

    code = "doctor.nothing_to_back_up"
    severity = Severity.ERROR
    message_template = "No disk of the VM can be backed up"
    hint_template = "Give it a dependent disk, or take the VM out of the rule."


class DatastoreNearlyFull(FindingKind):
    """A snapshot may not find space."""

    code = "doctor.datastore_nearly_full"
    severity = Severity.WARNING
    message_template = (
        "The datastore {name} ({kind}) has only {percent} % free; a snapshot needs space while it exists"
    )
    hint_template = "Free space on the datastore, or move VMs away from it."


class DatastoreFine(FindingKind):
    """A datastore has space for snapshots."""

    code = "doctor.datastore_fine"
    message_template = "The datastore {name} ({kind}) has {percent} % free"


class QuiesceNeedsTools(FindingKind):
    """The guest does not answer, so quiescing will fail."""

    code = "doctor.quiesce_needs_tools"
    severity = Severity.NOTICE
    message_template = (
        "The guest does not report its name: VMware Tools may not run, and quiesced snapshots need them"
    )
    hint_template = "Install or start VMware Tools in the guest, or switch quiesced snapshots off."


# --- standby ---------------------------------------------------------------------------------------------------


class StandbyFine(FindingKind):
    """The standby can be used and has space."""

    code = "doctor.standby_fine"
    message_template = "The standby machine can be written and has {free} GB free"


class StandbyOpenToOthers(FindingKind):
    """Other users of the machine can read the backups."""

    code = "doctor.standby_open_to_others"
    severity = Severity.WARNING
    message_template = "Other users of this machine can read or change what is at the standby machine"
    hint_template = "Choose “Close to other users” in the menu of the standby machine."


class StandbySpaceUnknown(FindingKind):
    """The standby can be used; how much space it has is not known."""

    code = "doctor.standby_space_unknown"
    severity = Severity.NOTICE
    message_template = "The standby machine can be written; it does not report how much space is free"
    hint_template = "Backups run without checking the space; look at the free space on the storage itself."


class StandbyTight(FindingKind):
    """The first backups may not fit."""

    code = "doctor.standby_tight"
    severity = Severity.WARNING
    message_template = "The standby machine has {free} GB free, the VMs' disks hold up to {needed} GB"
    hint_template = (
        "Compression and deduplication save much, but make sure of the space before the first full backup."
    )


class LanFreeMissing(FindingKind):
    """LAN-free ways may not be open."""

    code = "doctor.lan_free_missing"
    severity = Severity.NOTICE
    message_template = (
        "LAN-free is wanted; where no such way (SAN, HotAdd, Direct NFS) is open the network is used, and the log "
        "says why"
    )
