"""Choosing the VMs to migrate: as for a rule, with the remarks that count for a migration."""

from collections.abc import Iterable, Sequence

from PySide6.QtWidgets import QWidget

from app.contract.migration import ListMigrations, MigrationRow
from app.domain.ids import PlatformId, VmId
from app.domain.migration import MigrationState
from app.domain.units import filled
from app.domain.vms import VmSummary
from app.views.backup.vm_picker import VmPicker, VmRemarks
from app.views.console import Console
from app.views.migration.words import tr
from app.views.words import message_text


class MigrationRemarks(VmRemarks):
    """What the tree says of a VM that is chosen for a migration. Thread: GUI."""

    def taken(self, name: str) -> str:
        """Return that a migration has the VM already."""
        return tr("being migrated to {name}").format(name=name)

    def sign(self, vm: VmSummary) -> str:
        """Return in a few words why a VM is not migrated, or what stays behind."""
        if vm.unsupported_reason is not None or vm.disks_left_out:
            return tr("not migrated")
        if vm.snapshot_count:
            return filled(tr("{count} {count:snapshot/snapshots}"), {"count": vm.snapshot_count})
        return ""

    def notes(self, vm: VmSummary) -> tuple[str, ...]:
        """Return the same with the reasons, a line each."""
        found = []
        if vm.unsupported_reason is not None:
            reason = message_text(vm.unsupported_reason.kind.template, vm.unsupported_reason.params)
            found.append(tr("The VM is not migrated: {reason}.").format(reason=reason))
        for disk in vm.disks_left_out:
            reason = message_text(disk.reason.kind.template, disk.reason.params)
            found.append(
                tr("{disk} keeps the VM from being migrated: {reason}.").format(disk=disk.label, reason=reason)
            )
        if vm.snapshot_count:
            found.append(tr("The target VM will not have its snapshots, but all of their data."))
        return tuple(found)


class MigrationVmPicker(VmPicker):
    """Chooses the VMs of a platform that are migrated; those under way are grey. Thread: GUI."""

    def __init__(
        self,
        console: Console,
        platform: PlatformId,
        platform_name: str,
        chosen: Iterable[VmId],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(console, platform, platform_name, chosen, parent, remarks=MigrationRemarks())

    def ask_taken(self, platform: PlatformId) -> None:
        """Ask which VMs are being migrated already."""

        def take(rows: Sequence[MigrationRow]) -> None:
            self.show_taken(
                {
                    row.vm: row.target_name or row.name
                    for row in rows
                    if row.platform == platform and row.state is not MigrationState.COMPLETED
                }
            )

        self.console.door.ask(ListMigrations(), owner=self, on_done=take, on_failed=self.show_load_failure)
