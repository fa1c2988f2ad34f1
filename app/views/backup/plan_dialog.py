"""添加计划: one line of a periodic policy."""

from collections.abc import Callable
from datetime import time
from typing import Final

from PySide6.QtCore import QCoreApplication, QTime
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QTimeEdit,
    QVBoxLayout,
    QWidget,
)

from app.domain.policies import LAST_DAY, Plan, PlanProblem, PolicyUnit, Weekday
from app.domain.states import BackupKind
from app.views import style
from app.views.backup.policy_words import month_day_word, problem_text, unit_word, weekday_word
from app.views.console import Console
from app.views.widgets.form import Field, FormDialog, grow_later
from app.views.widgets.tags import Tag, TagBox
from app.views.words import backup_kind_word
from app.workers.answers import Failure

_KINDS: Final = (BackupKind.FULL, BackupKind.INCREMENTAL, BackupKind.DIFFERENTIAL)
_PLACES: Final = {
    PlanProblem.NO_WEEKDAY: "weekdays",
    PlanProblem.NO_TIME: "times",
    PlanProblem.TIME_TWICE: "times",
}


class PlanDialog(FormDialog):
    """Adds a plan, or changes one; ``plan`` is what was entered. Thread: GUI."""

    def __init__(self, console: Console, plan: Plan | None, parent: QWidget | None = None) -> None:
        title = (
            QCoreApplication.translate("PlanDialog", "Add a plan")
            if plan is None
            else QCoreApplication.translate("PlanDialog", "Change the plan")
        )
        action = (
            QCoreApplication.translate("PlanDialog", "Add plan")
            if plan is None
            else QCoreApplication.translate("PlanDialog", "Change plan")
        )
        super().__init__(console, title, action, parent)
        known = plan or Plan(unit=PolicyUnit.DAILY, kind=BackupKind.INCREMENTAL, times=())
        self._times: list[time] = sorted(known.times)
        form = self.add_form()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.setMinimumWidth(style.DIALOG_WIDTH * 3 // 4)
        self.unit = QComboBox(self)
        for unit in PolicyUnit:
            self.unit.addItem(unit_word(unit), unit)
        self.add_field(form, self.tr("Plan type"), self.unit, required=True)
        self.kind = QComboBox(self)
        for kind in _KINDS:
            self.kind.addItem(backup_kind_word(kind), kind)
        self.add_field(
            form,
            self.tr("Backup type"),
            self.kind,
            required=True,
            help_text=self.tr(
                "Without a full backup to build on, the first run is a full one, whatever is chosen."
            ),
        )
        self._form = form
        self._weekdays = self.add_field(form, self.tr("Weekdays"), self._build_weekdays(known), required=True)
        self._month = self.add_field(form, self.tr("Month"), self._build_month(known), required=True)
        self._day = self.add_field(form, self.tr("Day"), self._build_day(known), required=True)
        self._times_field = self.add_field(form, self.tr("Run times"), self._build_times(), required=True)
        self.unit.setCurrentIndex(list(PolicyUnit).index(known.unit))
        self.kind.setCurrentIndex(_KINDS.index(known.kind))
        self.unit.currentIndexChanged.connect(self._on_unit)
        self._on_unit()
        self._show_times()
        grow_later(self)

    # --- construction -----------------------------------------------------------------------------------------

    def _build_weekdays(self, known: Plan) -> QWidget:
        box = QWidget(self)
        self.weekdays: dict[Weekday, QCheckBox] = {}
        row = QHBoxLayout(box)
        row.setContentsMargins(0, style.SPACE_S, 0, 0)
        row.setSpacing(style.SPACE_S)
        for day in Weekday:
            check = QCheckBox(weekday_word(day), box)
            check.setChecked(day in known.weekdays)
            check.toggled.connect(self._on_weekday)
            self.weekdays[day] = check
            row.addWidget(check)
        self.all_days = QCheckBox(self.tr("All"), box)
        self.all_days.clicked.connect(self._on_all_days)
        row.addSpacing(style.SPACE_S)
        row.addWidget(self.all_days)
        row.addStretch(1)
        self.all_days.setChecked(len(known.weekdays) == len(Weekday))
        return box

    def _build_month(self, known: Plan) -> QWidget:
        self.month = QComboBox(self)
        for text in (
            self.tr("First month of the quarter"),
            self.tr("Second month of the quarter"),
            self.tr("Third month of the quarter"),
        ):
            self.month.addItem(text)
        self.month.setCurrentIndex(known.quarter_month - 1)
        return self.month

    def _build_day(self, known: Plan) -> QWidget:
        self.day = QComboBox(self)
        self.day.setMaxVisibleItems(LAST_DAY // 2)
        for number in range(1, LAST_DAY + 1):
            self.day.addItem(month_day_word(number))
        self.day.setCurrentIndex(known.month_day - 1)
        return self.day

    def _build_times(self) -> QWidget:
        box = QWidget(self)
        self.time = QTimeEdit(QTime(22, 0), box)
        self.time.setDisplayFormat("HH:mm")
        self.time.setAccessibleName(self.tr("Run time"))
        self.add_time = QPushButton(self.tr("Add time"), box)
        self.add_time.setAutoDefault(False)
        self.add_time.clicked.connect(self._on_add_time)
        line = QHBoxLayout()
        line.setSpacing(style.SPACE_S)
        line.addWidget(self.time)
        line.addWidget(self.add_time)
        line.addStretch(1)
        self.times = TagBox(self.console.theme, self.tr("No time yet: the one above is used."), box)
        self.times.removed.connect(self._on_time_removed)
        self.times.setFixedHeight(2 * style.CONTROL_HEIGHT)
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.SPACE_S)
        column.addLayout(line)
        column.addWidget(self.times)
        return box

    # --- what is entered --------------------------------------------------------------------------------------

    @property
    def plan(self) -> Plan:
        """Return what is entered; without a time in the list, the one in the box counts."""
        shown = self.time.time()
        times = tuple(self._times) or (time(shown.hour(), shown.minute()),)
        return Plan(
            unit=PolicyUnit(self.unit.currentData()),
            kind=self.kind.currentData(),
            times=times,
            weekdays=frozenset(day for day, check in self.weekdays.items() if check.isChecked()),
            month_day=self.day.currentIndex() + 1,
            quarter_month=self.month.currentIndex() + 1,
        )

    def problems(self) -> dict[Field, str]:
        """Return what is wrong with the plan."""
        fields = {"weekdays": self._weekdays, "times": self._times_field}
        return {
            fields[_PLACES.get(problem, "times")]: problem_text(problem.value) for problem in self.plan.problems()
        }

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Close with the plan."""
        del on_failed
        on_done(None)

    # --- slots ------------------------------------------------------------------------------------------------

    def _on_unit(self) -> None:
        unit = PolicyUnit(self.unit.currentData())
        for field, shown in (
            (self._weekdays, unit is PolicyUnit.WEEKLY),
            (self._month, unit is PolicyUnit.QUARTERLY),
            (self._day, unit >= PolicyUnit.MONTHLY),
        ):
            self._form.setRowVisible(field, shown)
        if self._complain:
            self.show_problems()
        grow_later(self)

    def _on_weekday(self) -> None:
        self.all_days.setChecked(all(check.isChecked() for check in self.weekdays.values()))
        if self._complain:
            self.show_problems()

    def _on_all_days(self, checked: bool) -> None:  # noqa: FBT001 - Qt's signal
        for check in self.weekdays.values():
            check.setChecked(checked)

    def _on_add_time(self) -> None:
        shown = self.time.time()
        wanted = time(shown.hour(), shown.minute())
        if wanted in self._times:
            self._times_field.set_problem(problem_text(PlanProblem.TIME_TWICE.value))
            return
        self._times_field.set_problem("")
        self._times = sorted((*self._times, wanted))
        self._show_times()

    def _on_time_removed(self, key: str) -> None:
        self._times = [clock for clock in self._times if f"{clock:%H:%M}" != key]
        self._show_times()

    def _show_times(self) -> None:
        self.times.set_tags([Tag(f"{clock:%H:%M}", f"{clock:%H:%M}") for clock in self._times])
