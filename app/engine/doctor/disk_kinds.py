"""What the doctor finds of VMs whose disks a backup holds otherwise than usual, or not at all."""

from dataclasses import replace

from app.contract.doctor import Finding, Severity
from app.contract.tasks import StartConsolidation
from app.domain.ids import PlatformId
from app.domain.vms import VmSummary
from app.engine.doctor.kinds import FindingKind


class VmNotBackedUp(FindingKind):
    """No backup of the VM is made."""

    code = "doctor.vm_not_backed_up"
    severity = Severity.ERROR
    message_template = "The VM is not backed up: {reason}."
    hint_template = "Take it out of the rule, and put the VM in that holds its data."


class SnapshotDoubtful(FindingKind):
    """The platform may refuse to take a snapshot of the VM."""

    code = "doctor.snapshot_doubtful"
    severity = Severity.WARNING
    message_template = "Backups may fail: {reason}."
    hint_template = (
        "Set the shared disks to independent and persistent: then they are left out, and the others are backed up."
    )


class LinkedClone(FindingKind):
    """Disks of the VM stand on another VM's."""

    code = "doctor.linked_clone"
    severity = Severity.NOTICE
    message_template = (
        "{count} {count:disk is a linked clone/disks are linked clones}, backed up whole with what "
        "{count:it stands/they stand} on"
    )
    hint_template = "They are read over NFC only: let this machine reach TCP port 902 of the VM's host."


class NeedsConsolidation(FindingKind):
    """Files of removed snapshots are left on the VM's disks."""

    code = "doctor.needs_consolidation"
    severity = Severity.WARNING
    message_template = "The disks need consolidation: files of removed snapshots are left and slow the VM down"
    hint_template = (
        "Close what has a disk of the VM open, make sure of free space on its datastore, and let the disks be "
        "consolidated; the VM can run meanwhile."
    )

    @classmethod
    def of(cls, platform: PlatformId, vm: VmSummary) -> Finding:
        """Make the finding of a VM, which can be asked to be put right."""
        remedy = StartConsolidation(platform=platform, vm=vm.id, vm_name=vm.name)
        return replace(cls.about(vm.name), remedy=remedy)


class DisksLeftOut(FindingKind):
    """Backups leave disks of some VMs out."""

    code = "doctor.disks_left_out"
    severity = Severity.NOTICE
    message_template = "Backups leave disks of {count} {count:VM/VMs} out: {names}"
    hint_template = "Where VMs are chosen for a rule, each of them says which disks and why."
