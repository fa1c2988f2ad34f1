"""What has to be known of a VM before it is chosen for a rule: what backups leave out of it, and why."""

from PySide6.QtCore import QCoreApplication

from app.domain.messages import Message
from app.domain.units import filled
from app.domain.vms import VmSummary
from app.views.words import message_text


def vm_sign(vm: VmSummary) -> str:
    """Return in a few words what is special about backups of a VM; empty when nothing is."""
    if vm.unsupported_reason is not None:
        return tr("not backed up")
    if vm.disks_left_out:
        values = {"left": len(vm.disks_left_out), "count": vm.disk_count}
        return filled(tr("{left} of {count} {count:disk/disks} left out"), values)
    if vm.snapshot_doubt is not None:
        return tr("backups may fail")
    return tr("needs consolidation") if vm.needs_consolidation else ""


def vm_notes(vm: VmSummary) -> tuple[str, ...]:
    """Return what is special about backups of a VM, with the reasons, a line each; empty when nothing is."""
    notes: list[str] = []
    if vm.unsupported_reason is not None:
        notes.append(tr("The VM is not backed up: {reason}.").format(reason=_said(vm.unsupported_reason)))
    for disk in vm.disks_left_out:
        words = tr("{disk} is left out of backups: {reason}.")
        notes.append(words.format(disk=disk.label, reason=_said(disk.reason)))
    if vm.snapshot_doubt is not None:
        notes.append(tr("Backups may fail: {reason}.").format(reason=_said(vm.snapshot_doubt)))
    if vm.needs_consolidation:
        notes.append(tr("Its disks need consolidation: examine the platform to have that done."))
    return tuple(notes)


def _said(reason: Message) -> str:
    return message_text(reason.kind.template, reason.params)


def tr(text: str) -> str:
    """Return a text of this module in the operator's language."""
    return QCoreApplication.translate("VmNotes", text)
