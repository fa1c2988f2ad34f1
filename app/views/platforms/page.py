"""The list of virtual platforms."""

from collections.abc import Hashable, Sequence

from PySide6.QtWidgets import QMenu

from app.contract.base import Query
from app.contract.doctor import ExaminePlatform, ReportPlatform
from app.contract.platforms import ListPlatformRows, PlatformRow, RemovePlatform
from app.domain.addresses import with_port
from app.domain.changes import Subject
from app.models.rows import Column
from app.views import formatting
from app.views.console import Console
from app.views.frame.freshness import Interest
from app.views.icons import Glyph, icon
from app.views.platforms.dialog import PlatformDialog
from app.views.platforms.transports import TransportsDialog
from app.views.widgets.columns import count_column, pill_column, time_column
from app.views.widgets.confirm import ConfirmDialog, sends
from app.views.widgets.findings import FindingsDialog
from app.views.widgets.list_page import ListPage
from app.views.widgets.opening import open_once
from app.views.widgets.pill import Pill, PillDelegate, Tone
from app.views.words import platform_kind_word, row_error_tip


class PlatformsPage(ListPage[PlatformRow]):
    """Lists the platforms and whether they can be reached. Thread: GUI."""

    key = "platforms"
    glyph = Glyph.PLATFORM

    def __init__(self, console: Console) -> None:
        super().__init__(console, "platforms")
        self.toolbar.add_primary(self.tr("New"), Glyph.ADD, self.on_create)
        self.edit = self.toolbar.add_action(self.tr("Edit"), Glyph.EDIT, self._on_edit)
        self.examine = self.toolbar.add_action(
            self.tr("Examine"),
            Glyph.DOCTOR,
            self._on_examine,
            tooltip=self.tr("Look for what would hinder a backup"),
        )
        self.transports = self.toolbar.add_action(
            self.tr("Transport modes"),
            Glyph.SPEED,
            self._on_transports,
            tooltip=self.tr("Choose the order of the ways to the disks, and try each"),
        )
        self.delete = self.toolbar.add_action(self.tr("Delete"), Glyph.DELETE, self._on_delete)
        self.table.setItemDelegateForColumn(1, PillDelegate(self.table))
        self.on_selection()

    def title(self) -> str:
        """Return the page's name."""
        return self.tr("Virtual platforms")

    def help_text(self) -> str:
        """Return what F1 shows."""
        return self.tr(
            "<p>The vCenter servers and ESXi hosts whose VMs are backed up and restored.</p>"
            "<p><b>New</b> registers one by address and account, after you have confirmed its certificate. "
            "<b>Examine</b> looks for what would hinder a backup: ports, license, privileges, VMs, disks. "
            "<b>Transport modes</b> orders the ways to the disks, and tries each.</p>"
            "<p>A platform that a rule uses cannot be deleted.</p>"
        )

    def columns(self) -> Sequence[Column[PlatformRow]]:
        """Return the columns of the list."""
        return (
            Column(key="name", title=self.tr("Name"), text=lambda row: row.platform.name, stretch=True, width=130),
            pill_column("state", self.tr("State"), self._pill, tooltip=lambda row: row_error_tip(row.error)),
            Column(key="kind", title=self.tr("Kind"), text=self._kind, width=88),
            Column(key="address", title=self.tr("Address"), text=_address, width=172),
            Column(
                key="version",
                title=self.tr("API version"),
                text=lambda row: row.facts.api_version if row.facts else formatting.NOTHING,
                tooltip=lambda row: f"{row.facts.full_name}, {row.facts.build}" if row.facts else None,
                width=92,
            ),
            Column(key="user", title=self.tr("Account"), text=lambda row: row.platform.user, width=150),
            count_column("vms", self.tr("VMs"), lambda row: row.vm_count, width=72),
            count_column("rules", self.tr("Rules"), lambda row: row.rule_count, width=72),
            Column(
                key="license",
                title=self.tr("License"),
                text=lambda row: row.license_name or formatting.NOTHING,
                width=170,
                hidden=True,
            ),
            time_column("checked", self.tr("Last contact"), lambda row: row.checked_at),
        )

    def row_key(self, row: PlatformRow) -> Hashable:
        """Return the platform's id."""
        return row.platform.id

    def query(self) -> Query[tuple[PlatformRow, ...]]:
        """Return the query for the platforms."""
        return ListPlatformRows()

    def interest(self) -> Interest:
        """Return that the list shows platforms."""
        return Interest(whole=frozenset({Subject.PLATFORMS}))

    def empty_state(self) -> tuple[Glyph, str, str, str]:
        """Say what a platform is for."""
        return (
            Glyph.PLATFORM,
            self.tr("No virtual platform yet"),
            self.tr("Register the vCenter server or ESXi host whose VMs you want to protect."),
            self.tr("Register a platform"),
        )

    def fill_menu(self, menu: QMenu, row: PlatformRow) -> None:
        """Offer what the tool bar offers."""
        del row
        colors = self.console.colors
        for glyph, text, slot in (
            (Glyph.EDIT, self.tr("Edit"), self._on_edit),
            (Glyph.DOCTOR, self.tr("Examine"), self._on_examine),
            (Glyph.SPEED, self.tr("Transport modes"), self._on_transports),
            (Glyph.DELETE, self.tr("Delete"), self._on_delete),
        ):
            menu.addAction(icon(glyph, colors), text).triggered.connect(slot)

    def on_activated(self, row: PlatformRow) -> None:
        """Edit the platform."""
        self._open_dialog(row)

    def on_create(self) -> None:
        """Register another platform."""
        self._open_dialog(None)

    def on_selection(self) -> None:
        """Enable what fits the selection."""
        chosen = len(self.chosen_rows())
        self.edit.setEnabled(chosen == 1)
        self.examine.setEnabled(chosen == 1)
        self.transports.setEnabled(chosen == 1)
        self.delete.setEnabled(chosen == 1)

    # --- words ------------------------------------------------------------------------------------------------

    def _pill(self, row: PlatformRow) -> Pill:
        if row.reachable is None:
            return Pill(self.tr("Not asked yet"), Tone.IDLE, outlined=True)
        if row.reachable:
            return Pill(self.tr("Reachable"), Tone.COMPLETED)
        return Pill(self.tr("Not reachable"), Tone.FAILED)

    def _kind(self, row: PlatformRow) -> str:
        if row.facts is None:
            return formatting.NOTHING
        return platform_kind_word(row.facts.kind)

    # --- actions ----------------------------------------------------------------------------------------------

    def _open_dialog(self, row: PlatformRow | None) -> None:
        dialog = PlatformDialog(self.console, row.platform if row else None, self)
        dialog.succeeded.connect(self.refresh)
        open_once(dialog)

    def _on_edit(self) -> None:
        for row in self.chosen_rows()[:1]:
            self._open_dialog(row)

    def _on_examine(self) -> None:
        for row in self.chosen_rows()[:1]:
            title = self.tr("Examine {name}").format(name=row.platform.name)
            platform = row.platform.id
            query, report = ExaminePlatform(platform=platform), ReportPlatform(platform=platform)
            open_once(FindingsDialog(self.console, title, query, self, report=report))

    def _on_transports(self) -> None:
        for row in self.chosen_rows()[:1]:
            dialog = TransportsDialog(self.console, row, self)
            dialog.succeeded.connect(self.refresh)
            open_once(dialog)

    def on_delete(self) -> None:
        """Ask whether to delete the platform."""
        if len(self.chosen_rows()) == 1:
            self._on_delete()

    def _on_delete(self) -> None:
        for row in self.chosen_rows()[:1]:
            self._ask_to_delete(row)

    def _ask_to_delete(self, row: PlatformRow) -> None:
        dialog = ConfirmDialog(
            self.console,
            self.tr("Delete the platform {name}").format(name=row.platform.name),
            self.tr("Delete platform"),
            sends(self.console, RemovePlatform(platform=row.platform.id), self),
            consequences=(
                self.tr("The registration and its password are removed from this machine."),
                self.tr("VMs and restore points stay as they are."),
            ),
            parent=self,
        )
        dialog.succeeded.connect(self.refresh)
        open_once(dialog)


def _address(row: PlatformRow) -> str:
    return with_port(row.platform.address, row.platform.port)
