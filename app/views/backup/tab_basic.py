"""基本设置: name, platform, VMs, standby and target path."""

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.contract.platforms import ListPlatformRows, PlatformRow
from app.contract.rules import RuleDraft, VmChoice
from app.contract.standbys import ListStandbyRows, StandbyRow
from app.domain.display import visible
from app.domain.ids import PlatformId, StandbyId, VmId
from app.domain.vms import VmSummary
from app.views import formatting, style
from app.views.backup.policy_words import problem_text
from app.views.backup.vm_picker import VmPicker, vm_tag
from app.views.console import Console
from app.views.widgets.directory_browser import DirectoryBrowser
from app.views.widgets.form import Field
from app.views.widgets.opening import open_once
from app.views.widgets.plain import Label
from app.views.widgets.tags import TagBox
from app.views.words import platform_kind_word
from app.workers.answers import Failure

AddField = Callable[..., Field]


class BasicTab(QWidget):
    """The first tab of the rule editor. Thread: GUI.

    Signals:
        edited: the operator changed something; carries the name of the field.
        failed: a list could not be loaded; carries the failure.
    """

    edited = Signal(str)
    failed = Signal(object)

    def __init__(self, console: Console, draft: RuleDraft | None, add_field: AddField, parent: QWidget) -> None:
        super().__init__(parent)
        self._console = console
        self._draft = draft
        self._platforms: tuple[PlatformRow, ...] = ()
        self._standbys: tuple[StandbyRow, ...] = ()
        self._chosen: dict[PlatformId, tuple[VmChoice, ...]] = {}
        self._sizes: dict[VmId, int] = {}
        self.fields: dict[str, Field] = {}
        self._form = QFormLayout()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, style.SPACE_L, 0, 0)
        column.addLayout(self._form)
        column.addStretch(1)
        self._form.setHorizontalSpacing(style.SPACE_L)
        self._form.setVerticalSpacing(style.SPACE_M)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._build(add_field)
        if draft is not None:
            self.name.setText(draft.name)
            self.path.setText(draft.target_path)
            self._chosen[draft.platform] = draft.vms
        self._show_vms()
        self._load()

    # --- construction -----------------------------------------------------------------------------------------

    def _build(self, add_field: AddField) -> None:
        self.name = QLineEdit(self)
        self.name.textEdited.connect(self._on_name_edited)
        self._add(add_field, "name", self.tr("Name"), self.name)
        self._add(add_field, "platform", self.tr("Virtual platform"), self._build_platform())
        self._add(add_field, "vms", self.tr("Virtual machines"), self._build_vms())
        self._add(add_field, "standby", self.tr("Standby machine"), self._build_standby())
        self._add(add_field, "target_path", self.tr("Target path"), self._build_path())

    def _add(self, add_field: AddField, key: str, label: str, content: QWidget) -> None:
        self.fields[key] = add_field(self._form, label, content, required=True)

    def _build_platform(self) -> QWidget:
        self.platform = QComboBox(self)
        self.platform.setAccessibleName(self.tr("Virtual platform"))
        self.platform.currentIndexChanged.connect(self._on_platform)
        self.facts = Label(self)
        return _with_label(self.platform, self.facts)

    def _build_standby(self) -> QWidget:
        self.standby = QComboBox(self)
        self.standby.setAccessibleName(self.tr("Standby machine"))
        self.standby.currentIndexChanged.connect(self._on_standby)
        self.space = Label(self)
        return _with_label(self.standby, self.space)

    def _build_vms(self) -> QWidget:
        box = QWidget(self)
        self.tags = TagBox(self._console.theme, self.tr("No VM chosen yet."), box)
        self.tags.setFixedHeight(style.CONTROL_HEIGHT * 4)
        self.tags.setAccessibleName(self.tr("Chosen VMs"))
        self.tags.removed.connect(self._on_removed)
        self.sum = Label(box)
        self.sum.setProperty("role", "secondary")
        self.choose_vms = self._choose_button(self.tr("Choose VMs…"), self.on_choose_vms)
        row = QHBoxLayout()
        row.addWidget(self.choose_vms)
        row.addWidget(self.sum, 1)
        row.setSpacing(style.SPACE_M)
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.SPACE_S)
        column.addWidget(self.tags, 1)
        column.addLayout(row)
        return box

    def _build_path(self) -> QWidget:
        box = QWidget(self)
        self.path = QLineEdit(box)
        self.path.setAccessibleName(self.tr("Target path"))
        self.path.setPlaceholderText(self.tr("Directory on the standby machine"))
        self.path.textEdited.connect(self._on_path_edited)
        self.browse = self._choose_button(self.tr("Browse…"), self.on_browse)
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(style.SPACE_S)
        row.addWidget(self.path, 1)
        row.addWidget(self.browse)
        return box

    def _choose_button(self, text: str, slot: Callable[[], None]) -> QPushButton:
        button = QPushButton(text, self)
        button.setAutoDefault(False)
        button.clicked.connect(slot)
        return button

    def set_read_only(self, *, but_vms: bool) -> None:
        """Let everything be looked at only, or everything but the VMs."""
        for line in (self.name, self.path):
            line.setReadOnly(True)
            line.style().unpolish(line)
            line.style().polish(line)
        for widget in (self.platform, self.standby):
            widget.setEnabled(False)
        self.browse.hide()
        self.tags.set_removable(removable=but_vms)
        self.choose_vms.setVisible(but_vms)

    # --- what is entered --------------------------------------------------------------------------------------

    @property
    def platform_id(self) -> PlatformId | None:
        """Return the chosen platform, None while there is none."""
        place = self.platform.currentIndex()
        return self._platforms[place].platform.id if 0 <= place < len(self._platforms) else None

    @property
    def standby_id(self) -> StandbyId | None:
        """Return the chosen standby, None while there is none."""
        place = self.standby.currentIndex()
        return self._standbys[place].id if 0 <= place < len(self._standbys) else None

    @property
    def vms(self) -> tuple[VmChoice, ...]:
        """Return the chosen VMs."""
        platform = self.platform_id or (self._draft.platform if self._draft else None)
        return self._chosen.get(platform, ()) if platform is not None else ()

    def problems(self) -> dict[str, str]:
        """Return what is missing, by field."""
        found: dict[str, str] = {}
        if not self.name.text().strip():
            found["name"] = problem_text("name_missing")
        elif len(self.name.text().strip()) > 64:
            found["name"] = problem_text("name_too_long")
        elif not self.name.text().strip().isprintable():
            found["name"] = problem_text("name_unprintable")
        if self.platform_id is None:
            found["platform"] = self.tr("Choose the platform.")
        if not self.vms:
            found["vms"] = problem_text("no_vm")
        if self.standby_id is None:
            found["standby"] = self.tr("Choose the standby machine.")
        if not self.path.text().strip():
            found["target_path"] = problem_text("target_path_missing")
        return found

    # --- lists ------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        door = self._console.door
        door.ask(ListPlatformRows(), owner=self, on_done=self._on_platforms, on_failed=self._on_failed)
        door.ask(ListStandbyRows(), owner=self, on_done=self._on_standbys, on_failed=self._on_failed)

    def _on_failed(self, failure: Failure) -> None:
        self.failed.emit(failure)

    def _on_platforms(self, rows: tuple[PlatformRow, ...]) -> None:
        wanted = self._draft.platform if self._draft else None
        self._platforms = rows
        _fill(self.platform, [(row.platform.id, row.platform.name) for row in rows], wanted)
        if not rows:
            self.facts.setText(self.tr("Register a virtual platform first."))
        self._on_platform_shown()

    def _on_standbys(self, rows: tuple[StandbyRow, ...]) -> None:
        wanted = self._draft.standby if self._draft else None
        self._standbys = rows
        _fill(self.standby, [(row.id, row.name) for row in rows], wanted)
        if not rows:
            self.space.setText(self.tr("Register a standby machine first."))
        self._on_standby_shown()

    def _on_platform_shown(self) -> None:
        place = self.platform.currentIndex()
        if 0 <= place < len(self._platforms):
            row = self._platforms[place]
            parts = [row.platform.address]
            if row.facts is not None:
                kind = platform_kind_word(row.facts.kind)
                parts += [self.tr("API {version}").format(version=row.facts.api_version), kind]
            self.facts.setText("  ·  ".join(parts))
        self._show_vms()

    def _on_standby_shown(self) -> None:
        place = self.standby.currentIndex()
        if 0 <= place < len(self._standbys):
            row = self._standbys[place]
            text = self.tr("{free} free of {total}")
            if row.reachable and row.free_bytes is None:
                text = self.tr("Free space unknown")
            self.space.setText(
                text.format(free=formatting.size(row.free_bytes), total=formatting.size(row.total_bytes))
            )

    # --- slots ------------------------------------------------------------------------------------------------

    def _on_name_edited(self) -> None:
        self.edited.emit("name")

    def _on_path_edited(self) -> None:
        self.edited.emit("target_path")

    def _on_platform(self) -> None:
        self._on_platform_shown()
        self.edited.emit("platform")

    def _on_standby(self) -> None:
        self._on_standby_shown()
        self.edited.emit("standby")

    def on_choose_vms(self) -> None:
        """Open the tree of the platform's VMs."""
        platform = self.platform_id
        if platform is None:
            self.fields["platform"].set_problem(self.tr("Choose the platform first."))
            return
        name = self._platforms[self.platform.currentIndex()].platform.name
        picker = VmPicker(self._console, platform, name, [choice.vm for choice in self.vms], self)
        picker.succeeded.connect(partial(self._on_picked, platform, picker))
        open_once(picker)

    def _on_picked(self, platform: PlatformId, picker: VmPicker) -> None:
        self.take_vms(platform, picker.chosen)

    def take_vms(self, platform: PlatformId, vms: Sequence[VmSummary]) -> None:
        """Choose VMs of a platform; the sum of their disks is shown."""
        self._sizes.update({vm.id: vm.disk_bytes for vm in vms})
        self._choose(platform, [VmChoice(vm=vm.id, name=vm.name) for vm in vms])

    def _choose(self, platform: PlatformId, vms: Sequence[VmChoice]) -> None:
        self._chosen[platform] = tuple(vms)
        self._show_vms()
        self.edited.emit("vms")

    def _on_removed(self, key: str) -> None:
        platform = self.platform_id
        if platform is not None:
            self._choose(platform, [choice for choice in self.vms if choice.vm != key])

    def _show_vms(self) -> None:
        self.tags.set_tags([vm_tag(choice.vm, choice.name, self._sizes.get(choice.vm)) for choice in self.vms])
        known = [self._sizes[choice.vm] for choice in self.vms if choice.vm in self._sizes]
        text = self.tr("{count} chosen, {size} in all") if known else self.tr("{count} chosen")
        self.sum.setText(text.format(count=len(self.vms), size=formatting.size(sum(known))) if self.vms else "")

    def on_browse(self) -> None:
        """Open the standby's directories."""
        standby = self.standby_id
        if standby is None:
            self.fields["standby"].set_problem(self.tr("Choose the standby machine first."))
            return
        name = self._standbys[self.standby.currentIndex()].name
        browser = DirectoryBrowser.of_standby(self._console, standby, name, self)
        browser.path.setText(self.path.text())
        browser.succeeded.connect(partial(self._on_browsed, browser))
        open_once(browser)

    def _on_browsed(self, browser: DirectoryBrowser) -> None:
        self.path.setText(browser.chosen)
        self._on_path_edited()


def _with_label(box: QComboBox, label: Label) -> QWidget:
    holder = QWidget(box.parentWidget())
    label.setProperty("role", "secondary")
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(style.SPACE_M)
    box.setMinimumWidth(style.FIELD_WIDTH * 3 // 4)
    row.addWidget(box)
    row.addWidget(label, 1)
    return holder


def _fill(box: QComboBox, entries: Sequence[tuple[str, str]], wanted: str | None) -> None:
    with QSignalBlocker(box):
        box.clear()
        for _, name in entries:
            box.addItem(visible(name))
        keys = [key for key, _ in entries]
        # With one platform or standby there is nothing to choose.
        only = 0 if len(entries) == 1 else -1
        box.setCurrentIndex(keys.index(wanted) if wanted in keys else only)
        box.setPlaceholderText("—")
