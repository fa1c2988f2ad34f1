"""高级设置 of a migration: how it copies, when it cuts over, and what becomes of source and target."""

from PySide6.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.domain.migration import MIB, MigrationCheck, MigrationOptions
from app.views import style
from app.views.widgets.choice_bar import ChoiceBar
from app.views.widgets.form import FormDialog
from app.views.widgets.scrolled import scroll_inside

_MOST_MIB = 1 << 20
_MOST_S = 3600


class MigrationOptionsTab(QWidget):
    """How VMs are migrated. Thread: GUI."""

    def __init__(self, dialog: FormDialog) -> None:
        super().__init__(dialog)
        self._dialog = dialog
        self._usual = MigrationOptions()
        inner = QWidget(self)
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, style.SPACE_L, style.SPACE_M, 0)
        self._form = dialog.add_form(column)
        # A check box alone would leave the help below it as narrow as itself.
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        column.addStretch(1)
        self._build_copying()
        self._build_cut_over()
        self._build_comparison()
        self._build_thresholds()
        scroll_inside(self, inner)

    def _build_copying(self) -> None:
        self.quick = self._box(
            self.tr("Quick backup"),
            self._usual.quick,
            self.tr(
                "Reads what changed only, and switches change tracking on. Without it every pass reads everything."
            ),
            caption=self.tr("Copying"),
        )
        self.lan_free = self._box(
            self.tr("Support LAN-free"),
            self._usual.lan_free,
            self.tr(
                "Goes over the storage network where that is possible; elsewhere over the network, and the log "
                "says so."
            ),
        )
        self.quiesce = self._box(
            self.tr("Quiesced snapshots"),
            self._usual.quiesce,
            self.tr("The guest writes its data to disk before each snapshot, while the VM runs."),
        )

    def _build_cut_over(self) -> None:
        self.automatic = self._box(
            self.tr("Cut over by itself"),
            self._usual.automatic,
            self.tr(
                "As soon as the rest is small. Without it the migration stays ready and follows changes until "
                "you cut over."
            ),
            caption=self.tr("Cut-over"),
        )
        self.shut_down_source = self._box(
            self.tr("Shut the source down"),
            self._usual.shut_down_source,
            self.tr(
                "Without it, shut it down yourself before: while it runs, the target stays off and does not take "
                "its place."
            ),
        )
        self.power_on = self._box(self.tr("Power the target on"), self._usual.power_on, "")
        self.prove_start = self._box(
            self.tr("Only when its system has started"),
            self._usual.prove_start,
            self.tr(
                "The cut-over is undone where the VMware Tools in the target do not report that its system runs."
            ),
        )
        self.power_on.toggled.connect(self.prove_start.setEnabled)

    def _build_comparison(self) -> None:
        self.check: ChoiceBar[MigrationCheck] = ChoiceBar(
            self.tr("Comparison"),
            (
                (MigrationCheck.FULL, self.tr("Everything")),
                (MigrationCheck.SAMPLE, self.tr("What changed, and a sample")),
            ),
            chosen=self._usual.check,
            parent=self,
        )
        line = QWidget(self)
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.check)
        row.addStretch(1)
        line.setFocusProxy(self.check)
        self._dialog.add_field(
            self._form,
            self.tr("Comparison"),
            line,
            help_text=self.tr(
                "Of the target with the source, while the source is off. Everything is certain, and takes longer."
            ),
        )

    def _build_thresholds(self) -> None:
        self.below = self._number(_MOST_MIB, " MiB", self._usual.ready_below_bytes // MIB)
        self._dialog.add_field(self._form, self.tr("Small is a rest below"), self.below)
        self.within = self._number(_MOST_S, self.tr(" s"), round(self._usual.ready_within_s))
        self._dialog.add_field(self._form, self.tr("Or one copied within"), self.within)

    def _box(self, text: str, checked: bool, help_text: str, *, caption: str = "") -> QCheckBox:  # noqa: FBT001 - as Qt's
        box = QCheckBox(text, self)
        box.setChecked(checked)
        self._dialog.add_field(self._form, caption, box, help_text=help_text)
        box.setAccessibleName(text)
        return box

    def _number(self, most: int, suffix: str, value: int) -> QSpinBox:
        box = QSpinBox(self)
        box.setRange(1, most)
        box.setSuffix(suffix)
        box.setValue(value)
        return box

    @property
    def options(self) -> MigrationOptions:
        """Return how the VMs are migrated."""
        return MigrationOptions(
            quick=self.quick.isChecked(),
            lan_free=self.lan_free.isChecked(),
            quiesce=self.quiesce.isChecked(),
            automatic=self.automatic.isChecked(),
            shut_down_source=self.shut_down_source.isChecked(),
            power_on=self.power_on.isChecked(),
            prove_start=self.power_on.isChecked() and self.prove_start.isChecked(),
            check=self.check.value,
            ready_below_bytes=self.below.value() * MIB,
            ready_within_s=float(self.within.value()),
        )
