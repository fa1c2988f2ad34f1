"""恢复验证 in the rule editor: when restore points are proven, where, and how much that may take."""

from datetime import time
from typing import Final

from PySide6.QtCore import QTime, Signal
from PySide6.QtWidgets import QComboBox, QTimeEdit, QVBoxLayout, QWidget

from app.domain.ids import PlatformId
from app.domain.proofs import ProofPolicy, ProofProblem, ProofWhen, ProofWhich
from app.views import style
from app.views.backup.policy_words import problem_text
from app.views.proof.limits import ProofLimits, in_line
from app.views.proof.place import ProofPlace
from app.views.widgets.count_box import MOST, CountBox
from app.views.widgets.form import Field, FormDialog
from app.views.widgets.plain import Label
from app.views.widgets.scrolled import scroll_inside

_PLACES: Final = {
    ProofProblem.DAYS_OUT_OF_RANGE: "when",
    ProofProblem.TIME_ZONED: "when",
    ProofProblem.LIMIT_OUT_OF_RANGE: "limits",
    ProofProblem.CPUS_OUT_OF_RANGE: "limits",
    ProofProblem.MEMORY_OUT_OF_RANGE: "limits",
    ProofProblem.AT_ONCE_OUT_OF_RANGE: "budget",
    ProofProblem.BUDGET_OUT_OF_RANGE: "budget",
    ProofProblem.WARNING_OUT_OF_RANGE: "warning",
}
_BY_CODE: Final = {problem.value: place for problem, place in _PLACES.items()}


def proof_problem_place(code: str) -> str:
    """Return the field of the tab that a problem is about; one of a later engine is about when."""
    return _BY_CODE.get(code, "when")


class ProofTab(QWidget):
    """The fourth tab of the rule editor. Thread: GUI.

    Signals:
        edited: the operator changed something.
    """

    edited = Signal()

    def __init__(self, dialog: FormDialog, policy: ProofPolicy, parent: QWidget) -> None:
        super().__init__(parent)
        self._policy = policy
        self.fields: dict[str, Field] = {}
        inner = QWidget(self)
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, style.SPACE_L, style.SPACE_M, 0)
        column.setSpacing(style.SPACE_M)
        column.addWidget(self._meaning())
        self._build(dialog, column)
        column.addStretch(1)
        scroll_inside(self, inner)
        self._show(policy)
        self._watch()
        self._on_when()

    # --- construction -----------------------------------------------------------------------------------------

    def _meaning(self) -> Label:
        text = Label(
            self.tr(
                "A proof starts the VM of a restore point on the platform, without a network, until its system "
                "has come up, and takes it away again. Where the VM cannot be started, its file systems are read "
                "instead. The backup is never changed."
            ),
            self,
        )
        text.setProperty("role", "secondary")
        text.setWordWrap(True)
        return text

    def _build(self, dialog: FormDialog, column: QVBoxLayout) -> None:
        form = dialog.add_form(column)

        def add(key: str, label: str, content: QWidget, help_text: str = "") -> None:
            self.fields[key] = dialog.add_field(form, label, content, help_text=help_text)

        add("when", self.tr("When"), self._build_when())
        add("which", self.tr("Restore points"), self._build_which())
        self.place = ProofPlace(dialog.console, self.tr("The platform that the rule backs up"), self)
        add("platform", self.tr("Started on"), self.place.platform)
        add("host", self.tr("Host"), self.place.host)
        self.limits = ProofLimits(self)
        words = self.tr("A VM never gets more than it had.")
        add("limits", self.tr("At most"), self.limits, words)
        add("budget", self.tr("Budget"), self._build_budget(), self.tr("Proofs by hand are not counted."))
        days = self.tr("after {count} {count:day/days} without a proof")
        self.warning = CountBox(days, self, most=MOST, name=self.tr("Days without a proof"))
        self.warning.setSpecialValueText(self.tr("no warning"))
        add("warning", self.tr("Warn"), in_line(self.warning, parent=self))

    def _build_when(self) -> QWidget:
        self.when = QComboBox(self)
        for text, when in (
            (self.tr("Only by hand"), ProofWhen.OFF),
            (self.tr("After each backup"), ProofWhen.AFTER_BACKUP),
            (self.tr("Every few days"), ProofWhen.EVERY_DAYS),
        ):
            self.when.addItem(text, when)
        days = self.tr("every {count} {count:day/days}")
        self.days = CountBox(days, self, most=MOST, name=self.tr("Days between proofs"))
        self.at = QTimeEdit(self)
        self.at.setDisplayFormat(self.tr("'from' HH:mm"))
        self.at.setAccessibleName(self.tr("From this time of day on"))
        return in_line(self.when, self.days, self.at, parent=self)

    def _build_which(self) -> QWidget:
        self.which = QComboBox(self)
        self.which.addItem(self.tr("The newest of each VM"), ProofWhich.NEWEST)
        self.which.addItem(self.tr("Each one"), ProofWhich.EACH)
        return self.which

    def _build_budget(self) -> QWidget:
        at_once, minutes = self.tr("{count} at the same time"), self.tr("{count} {count:minute/minutes} a day")
        self.at_once = CountBox(at_once, self, most=MOST, name=self.tr("Proofs at the same time"))
        self.minutes = CountBox(minutes, self, most=MOST, name=self.tr("Minutes a day, all together"))
        return in_line(self.at_once, self.minutes, parent=self)

    def _show(self, policy: ProofPolicy) -> None:
        self.when.setCurrentIndex(self.when.findData(policy.when))
        self.days.setValue(policy.every_days)
        self.at.setTime(QTime(policy.at.hour, policy.at.minute))
        self.which.setCurrentIndex(self.which.findData(policy.which))
        self.place.show_choice(policy.platform, policy.host)
        self.limits.show_policy(policy)
        self.at_once.setValue(policy.at_once)
        self.minutes.setValue(policy.minutes_per_day)
        self.warning.setValue(policy.warn_after_days)

    def _watch(self) -> None:
        self.when.currentIndexChanged.connect(self._on_when)
        for box in (self.when, self.which):
            box.currentIndexChanged.connect(self.edited)
        for count in (self.days, self.at_once, self.minutes, self.warning):
            count.valueChanged.connect(self.edited)
        self.at.timeChanged.connect(self.edited)
        self.limits.edited.connect(self.edited)
        self.place.edited.connect(self.edited)

    def set_read_only(self) -> None:
        """Let everything be looked at only."""
        for field in self.fields.values():
            field.content.setEnabled(False)

    def show_platform(self, platform: PlatformId | None) -> None:
        """Say which platform the rule backs up."""
        self.place.show_usual(platform)

    # --- what is entered --------------------------------------------------------------------------------------

    @property
    def policy(self) -> ProofPolicy:
        """Return what is entered."""
        when: ProofWhen = self.when.currentData()
        which: ProofWhich = self.which.currentData()
        entered = ProofPolicy(
            when=when,
            every_days=self.days.value(),
            at=time(self.at.time().hour(), self.at.time().minute()),
            which=which,
            platform=self.place.platform_id,
            host=self.place.host_value,
            at_once=self.at_once.value(),
            minutes_per_day=self.minutes.value(),
            warn_after_days=self.warning.value(),
        )
        return self.limits.limiting(entered)

    @property
    def is_changed(self) -> bool:
        """Return whether something else is entered than what was there."""
        return self.policy != self._policy

    def problems(self) -> dict[str, str]:
        """Return what is wrong, by field."""
        found = reversed(self.policy.problems())
        return {_PLACES[problem]: problem_text(problem.value) for problem in found}

    def _on_when(self) -> None:
        when = self.when.currentData()
        for widget in (self.days, self.at):
            widget.setVisible(when is ProofWhen.EVERY_DAYS)
        for key in ("which", "budget"):
            self.fields[key].content.setEnabled(when is not ProofWhen.OFF)
