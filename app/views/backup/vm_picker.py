"""Choosing VMs: the platform's tree at the left, what is chosen as tags at the right."""

from collections.abc import Callable, Iterable, Mapping

from PySide6.QtCore import QCoreApplication, QEvent, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLineEdit,
    QSplitter,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from app.contract.platforms import ListVms
from app.contract.rules import VmsInRules
from app.domain.display import lines
from app.domain.ids import PlatformId, VmId
from app.domain.reach import HostConnection, VmConnection
from app.domain.vms import PowerState, VmSummary
from app.models.vm_tree import DEPTH_ROLE, TAKEN_ROLE, VM_ROLE, VmTreeModel
from app.views import formatting, style
from app.views.backup.vm_notes import vm_notes, vm_sign
from app.views.console import Console, ThemeSwitch
from app.views.icons import Glyph, icon
from app.views.widgets.choice_bar import ChoiceBar
from app.views.widgets.form import FormDialog
from app.views.widgets.itemstyle import item_style
from app.views.widgets.pause import Pause
from app.views.widgets.plain import Label, show_tip
from app.views.widgets.stages import Stages
from app.views.widgets.tags import Tag, TagBox
from app.workers.answers import Failure

_FILTER_DELAY_MS = 150
_SMALL = 200
"""A tree of so many VMs is shown with everything open."""


def vm_tag(vm: VmId, name: str, size_bytes: int | None) -> Tag:
    """Return the tag of a chosen VM, with its size."""
    return Tag(vm, name, "" if size_bytes is None else formatting.size(size_bytes))


def vm_state(vm: VmSummary) -> str:
    """Return why a VM cannot be backed up now, in a word or two; empty when it can."""
    if vm.host_connection is HostConnection.NOT_RESPONDING:
        return QCoreApplication.translate("VmPicker", "host does not answer")
    if vm.host_connection is HostConnection.DISCONNECTED or vm.connection is VmConnection.DISCONNECTED:
        return QCoreApplication.translate("VmPicker", "host disconnected")
    if vm.connection is VmConnection.INACCESSIBLE:
        return QCoreApplication.translate("VmPicker", "files inaccessible")
    if vm.connection is VmConnection.INVALID:
        return QCoreApplication.translate("VmPicker", "configuration invalid")
    if vm.connection is VmConnection.ORPHANED:
        return QCoreApplication.translate("VmPicker", "orphaned")
    return ""


class VmRemarks:
    """What the tree says of a VM besides its name, for what it is chosen for: here, a rule. Thread: GUI."""

    def taken(self, name: str) -> str:
        """Return why a VM cannot be chosen that something has already, by that thing's name."""
        return QCoreApplication.translate("VmPicker", "in rule {name}").format(name=name)

    def sign(self, vm: VmSummary) -> str:
        """Return in a few words what is special about a VM; empty when nothing is."""
        return vm_sign(vm)

    def notes(self, vm: VmSummary) -> tuple[str, ...]:
        """Return what is special about a VM, with the reasons, a line each."""
        return vm_notes(vm)

    def note(self, vm: VmSummary, taken: str) -> str:
        """Return what stands behind a VM's name: what has it already, else its sign, and its state or size."""
        if taken:
            return self.taken(taken)
        kind = [QCoreApplication.translate("VmPicker", "template")] if vm.is_template else []
        parts = (*kind, self.sign(vm), vm_state(vm) or formatting.size(vm.disk_bytes))
        return " · ".join(filter(None, parts))


class _VmDelegate(QStyledItemDelegate):
    """Draws icons, and behind a VM's name its size, the rule that has it, or what backups leave out of it."""

    def __init__(self, theme: ThemeSwitch, remarks: VmRemarks, parent: QWidget) -> None:
        super().__init__(parent)
        self._remarks = remarks
        colors = theme.colors
        self._quiet = QColor(colors.secondary)
        self._running = icon(Glyph.VM, colors, colors.completed)
        self._off = icon(Glyph.VM, colors)
        self._warning = icon(Glyph.WARNING, colors, colors.pending)
        self._groups = (icon(Glyph.DATACENTER, colors), icon(Glyph.FOLDER, colors))

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        """Add the icon."""
        super().initStyleOption(option, index)
        vm = index.data(VM_ROLE)
        cell = item_style(option)
        cell.features |= QStyleOptionViewItem.ViewItemFeature.HasDecoration
        cell.decorationSize = QSize(style.ICON, style.ICON)
        if isinstance(vm, VmSummary):
            cell.icon = self._running if vm.power_state is PowerState.ON else self._off
        else:
            cell.icon = self._groups[min(1, index.data(DEPTH_ROLE))]

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw one line."""
        super().paint(painter, option, index)
        vm = index.data(VM_ROLE)
        if not isinstance(vm, VmSummary):
            return
        cell = item_style(option)
        text, sign = self._remarks.note(vm, index.data(TAKEN_ROLE)), self._remarks.sign(vm)
        name_width = cell.fontMetrics.horizontalAdvance(vm.name)
        indicators = 2 * (style.ICON + style.SPACE_S) + style.SPACE_L
        indicators += style.ICON + style.SPACE_XS if sign else 0
        room = QRect(cell.rect).adjusted(indicators + name_width, 0, -style.SPACE_S, 0)
        painter.save()
        painter.setFont(style.tabular_font(style.SECONDARY_PX))
        painter.setPen(self._quiet)
        fitting = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, max(0, room.width()))
        painter.drawText(room, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, fitting)
        if sign:
            text_width = painter.fontMetrics().horizontalAdvance(fitting)
            left = room.right() - text_width - style.ICON - style.SPACE_XS
            top = room.top() + (room.height() - style.ICON) // 2
            self._warning.paint(painter, QRect(left, top, style.ICON, style.ICON))
        painter.restore()

    def helpEvent(
        self,
        event: QHelpEvent,
        view: QAbstractItemView,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> bool:
        """Show what stands behind a name, for which there may be no room, and what backups leave out and why."""
        vm = index.data(VM_ROLE)
        if event.type() is not QEvent.Type.ToolTip or not isinstance(vm, VmSummary):
            return super().helpEvent(event, view, option, index)
        note = f"{vm.name}: {self._remarks.note(vm, index.data(TAKEN_ROLE))}"
        show_tip(event.globalPos(), lines(filter(None, (note, *self._remarks.notes(vm)))), view)
        return True


class VmPicker(FormDialog):
    """Chooses VMs of a platform. Thread: GUI.

    Attributes:
        tree: The platform's VMs; a VM that a rule has already is grey and names the rule.
        tags: The chosen ones.
    """

    def __init__(
        self,
        console: Console,
        platform: PlatformId,
        platform_name: str,
        chosen: Iterable[VmId],
        parent: QWidget | None = None,
        *,
        remarks: VmRemarks | None = None,
    ) -> None:
        """Build; ``remarks`` are what the tree says of VMs that are chosen for something else than a rule."""
        title = QCoreApplication.translate("VmPicker", "Choose VMs of {platform}").format(platform=platform_name)
        super().__init__(console, title, QCoreApplication.translate("VmPicker", "Use these VMs"), parent)
        self._platform = platform
        self._wanted = tuple(chosen)
        self._taken: Mapping[VmId, str] = {}
        self._remarks = remarks or VmRemarks()
        self.model = VmTreeModel(self, notes_of=lambda vm: lines(self._remarks.notes(vm)))
        self.model.chosen_changed.connect(self._on_chosen)
        self.resize(style.EDITOR_WIDTH - style.SPACE_XL, style.DIALOG_HEIGHT)
        split = QSplitter(Qt.Orientation.Horizontal, self)
        split.setChildrenCollapsible(False)
        split.addWidget(self._build_left())
        split.addWidget(self._build_right())
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        split.setSizes([style.EDITOR_WIDTH * 3 // 5, style.EDITOR_WIDTH * 2 // 5])
        self.body.addWidget(split, 1)
        self._on_chosen()
        self._load()

    # --- construction -----------------------------------------------------------------------------------------

    def _build_left(self) -> QWidget:
        side = QWidget(self)
        self.filter = QLineEdit(side)
        self.filter.setPlaceholderText(self.tr("Filter by name, guest, host or folder…"))
        self.filter.setAccessibleName(self.tr("Filter the VMs"))
        self.filter.setClearButtonEnabled(True)
        self._typing = Pause(_FILTER_DELAY_MS, self)
        self._typing.timeout.connect(self._on_filter)
        self.filter.textChanged.connect(self._typing.restart)
        choices = ((False, self.tr("Folders")), (True, self.tr("Hosts")))
        self.grouping: ChoiceBar[bool] = ChoiceBar(self.tr("Group by"), choices, chosen=False, parent=side)
        self.grouping.chosen.connect(self._on_grouping)
        self.tree = QTreeView(side)
        self.tree.setModel(self.model)
        self.tree.setHeaderHidden(True)
        self.tree.setUniformRowHeights(True)
        self.tree.setAccessibleName(self.tr("VMs of the platform"))
        self.tree.setItemDelegate(_VmDelegate(self.console.theme, self._remarks, self.tree))
        self.tree.setSelectionMode(QTreeView.SelectionMode.ExtendedSelection)
        self.stages = Stages(self.tree, self.console.theme, side)
        self.stages.retry_wanted.connect(self._load)
        top = QHBoxLayout()
        top.setSpacing(style.SPACE_S)
        top.addWidget(self.filter, 1)
        top.addWidget(self.grouping)
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, style.SPACE_M, 0)
        column.setSpacing(style.SPACE_S)
        column.addLayout(top)
        column.addWidget(self.stages, 1)
        return side

    def _build_right(self) -> QWidget:
        side = QWidget(self)
        self.sum = Label(side)
        self.sum.setProperty("role", "secondary")
        self.sum.setMinimumHeight(style.CONTROL_HEIGHT)
        self.tags = TagBox(self.console.theme, self.tr("Check VMs in the tree."), side)
        self.tags.removed.connect(self._on_removed)
        column = QVBoxLayout(side)
        column.setContentsMargins(style.SPACE_M, 0, 0, 0)
        column.setSpacing(style.SPACE_S)
        column.addWidget(self.sum)
        column.addWidget(self.tags, 1)
        return side

    # --- loading ----------------------------------------------------------------------------------------------

    def _load(self) -> None:
        self.stages.show_loading()
        self.ask_taken(self._platform)

    def ask_taken(self, platform: PlatformId) -> None:
        """Ask which VMs cannot be chosen, for :meth:`show_taken`."""
        query = VmsInRules(platform=platform)
        self.console.door.ask(query, owner=self, on_done=self.show_taken, on_failed=self.show_load_failure)

    def show_taken(self, taken: Mapping[VmId, str]) -> None:
        """Take note of what has which VM already, and go on with the platform's VMs."""
        self._taken = taken
        self.console.door.ask(
            ListVms(platform=self._platform), owner=self, on_done=self._on_vms, on_failed=self.show_load_failure
        )

    def _on_vms(self, vms: tuple[VmSummary, ...]) -> None:
        by_id = {vm.id: vm for vm in vms}
        self.model.set_vms(by_id.values(), self._taken)
        self.model.keep([by_id[vm] for vm in self._wanted if vm in by_id])
        self._unfold()
        if by_id:
            self.stages.show_content()
            self.filter.setFocus()
        else:
            text = self.tr("The account may see no VMs.")
            self.stages.show_empty(Glyph.VM, self.tr("No VM on this platform"), text)

    def show_load_failure(self, failure: Failure) -> None:
        """Say in the tree's place why the VMs cannot be listed."""
        self.stages.show_failure(failure)

    def _unfold(self) -> None:
        if self.model.shown_count <= _SMALL:
            self.tree.expandAll()
        else:
            self.tree.expandToDepth(0)

    # --- slots ------------------------------------------------------------------------------------------------

    @property
    def chosen(self) -> tuple[VmSummary, ...]:
        """Return the chosen VMs."""
        return self.model.chosen

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Close with the chosen VMs."""
        del on_failed
        on_done(None)

    def _on_filter(self) -> None:
        self.model.set_filter(self.filter.text())
        self._unfold()

    def _on_grouping(self, by_host: object) -> None:
        self.model.group_by_host(by_host=bool(by_host))
        self._unfold()

    def _on_removed(self, key: str) -> None:
        self.model.choose([vm for vm in self.model.chosen if vm.id == key], chosen=False)

    def _on_chosen(self) -> None:
        chosen = self.model.chosen
        self.tree.viewport().update()
        self.tags.set_tags([vm_tag(vm.id, vm.name, vm.disk_bytes) for vm in chosen])
        total = formatting.size(sum(vm.disk_bytes for vm in chosen))
        self.sum.setText(self.tr("{count} chosen, {size} in all").format(count=len(chosen), size=total))
        self.allow(allowed=bool(chosen))
