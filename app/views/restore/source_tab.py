"""基本设置 of a restore: its name, the VM, and the restore point."""

from PySide6.QtWidgets import QFormLayout, QLineEdit

from app.domain.tasks import PointTally
from app.views.restore.point_source import PointSource
from app.views.widgets.checks import NAME_MAX_CHARS, name_problem
from app.views.widgets.form import Field, FormDialog


class SourceTab(PointSource):
    """What the operator calls the restore, the source VM, and its restore point. Thread: GUI."""

    def build_first(self, dialog: FormDialog, form: QFormLayout) -> None:
        """Add the name, which follows the VM until one is typed."""
        self._is_named_by_hand = False
        self.name = QLineEdit(self)
        self.name.textEdited.connect(self._on_name_typed)
        self._name = dialog.add_field(form, self.tr("Name"), self.name, required=True)
        self.source_chosen.connect(self._on_source_chosen)

    def _on_source_chosen(self, tally: PointTally) -> None:
        if not self._is_named_by_hand:
            self.name.setText(self.tr("Restore of {vm}").format(vm=tally.vm_name)[:NAME_MAX_CHARS])

    def _on_name_typed(self) -> None:
        self._is_named_by_hand = True

    def problems(self) -> dict[Field, str]:
        """Return what is missing in the fields."""
        found = super().problems()
        if problem := name_problem(self.name.text(), missing=self.tr("Enter a name.")):
            found[self._name] = problem
        return found
