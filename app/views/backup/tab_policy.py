"""备份策略: once or periodically, with which plans, and how long points are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from PySide6.QtCore import QDate, QDateTime, QPoint, Qt, QTime, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDateTimeEdit,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QRadioButton,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.contract.rules import OneTime, Periodic, Policy, PreviewedDay, PreviewRetention
from app.domain.ids import RuleId, VmId
from app.domain.policies import (
    COUNT_MAX,
    OneTimePolicy,
    PeriodicPolicy,
    Plan,
    PlanProblem,
    Retention,
    RetryPlan,
)
from app.models.rows import Column, RowModel
from app.views import style
from app.views.backup.gfs import GfsBox
from app.views.backup.plan_dialog import PlanDialog
from app.views.backup.policy_words import plan_words, problem_text, retention_label
from app.views.backup.retention_calendar import RetentionCalendar
from app.views.backup.retry import RetryBox
from app.views.console import Console
from app.views.icons import Glyph, icon
from app.views.widgets.banner import MessageOverlay
from app.views.widgets.count_box import MOST
from app.views.widgets.export import TableExporter
from app.views.widgets.form import Field
from app.views.widgets.opening import open_once
from app.views.widgets.pause import Pause
from app.views.widgets.plain import Label
from app.views.widgets.question import Question
from app.views.widgets.row_actions import RowAction, RowActionsDelegate, fill_menu
from app.views.widgets.table import Table
from app.views.words import backup_kind_word
from app.workers.answers import Failure

_PREVIEW_PAUSE_MS = 300


@dataclass(frozen=True, slots=True)
class _Line:
    place: int
    plan: Plan


def problem_place(code: str) -> str:
    """Return the field of the tab that a problem is about."""
    if code == PlanProblem.START_BEFORE_TODAY.value:
        return "start"
    if code == PlanProblem.RETENTION_OUT_OF_RANGE.value:
        return "retention"
    return "gfs" if code == PlanProblem.COUNT_OUT_OF_RANGE.value else "plans"


class PolicyTab(QWidget):
    """The third tab of the rule editor. Thread: GUI.

    Signals:
        edited: the operator changed something.
    """

    edited = Signal()

    def __init__(
        self, console: Console, policy: Policy | None, subject: tuple[RuleId, VmId] | None, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._console = console
        self._subject = subject
        self._retention = policy.policy.retention if isinstance(policy, Periodic) else Retention()
        self._plans: list[Plan] = list(policy.policy.plans) if isinstance(policy, Periodic) else []
        self._read_only = False
        self._question = Question(console.door, self)
        self.fields: dict[str, Field] = {}
        self._build(policy)
        self._preview_pause = Pause(_PREVIEW_PAUSE_MS, self)
        self._preview_pause.timeout.connect(self._ask_preview)
        self._show_plans()
        self._on_kind()

    # --- construction -----------------------------------------------------------------------------------------

    def _build(self, policy: Policy | None) -> None:
        self.once = QRadioButton(self.tr("One-time task"), self)
        self.periodic = QRadioButton(self.tr("Periodic task"), self)
        self.once.setChecked(isinstance(policy, OneTime))
        self.periodic.setChecked(not isinstance(policy, OneTime))
        self.periodic.toggled.connect(self._on_kind)
        kinds = QHBoxLayout()
        kinds.setSpacing(style.SPACE_XL)
        kinds.addWidget(self.periodic)
        kinds.addWidget(self.once)
        kinds.addStretch(1)
        self.retry = RetryBox(policy.policy.retry if policy else RetryPlan(), self)
        self.retry.edited.connect(self.edited)
        kinds.addWidget(self.retry)
        self._pages = QStackedWidget(self)
        self._pages.addWidget(self._build_periodic(policy))
        self._pages.addWidget(self._build_once(policy))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, style.SPACE_M, 0, 0)
        layout.setSpacing(style.SPACE_S)
        layout.addLayout(kinds)
        layout.addWidget(self._pages, 1)

    def _build_once(self, policy: Policy | None) -> QWidget:
        page = QWidget(self)
        self.start = QDateTimeEdit(page)
        self.start.setDisplayFormat("yyyy-MM-dd HH:mm")
        self.start.setCalendarPopup(True)
        self.start.setMaximumWidth(style.FIELD_WIDTH * 2 // 3)
        self.start.setAccessibleName(self.tr("Start time"))
        start = policy.policy.start if isinstance(policy, OneTime) else datetime.now(UTC)
        local = start.astimezone()
        self.start.setDateTime(
            QDateTime(QDate(local.year, local.month, local.day), QTime(local.hour, local.minute))
        )
        self.start.dateTimeChanged.connect(self.edited)
        note = self.tr(
            "One full backup. A time that has passed today means now; the points stay until the rule goes."
        )
        self.fields["start"] = Field(self.start, note, page)
        line = QHBoxLayout(page)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(style.SPACE_L)
        label = Label(self.tr("Start time") + " *", page)
        label.setBuddy(self.start)
        label.setMinimumHeight(style.CONTROL_HEIGHT)
        line.addWidget(label, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(self.fields["start"], 1, Qt.AlignmentFlag.AlignTop)
        return page

    def _build_periodic(self, policy: Policy | None) -> QWidget:
        page = QWidget(self)
        self.table = self._build_table(page)
        self.fields["plans"] = Field(self.table, "", page)
        self.add = QPushButton(self.tr("Add plan…"), page)
        self.add.setIcon(icon(Glyph.ADD, self._console.colors))
        self.add.setAutoDefault(False)
        self.add.clicked.connect(self.on_add)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.SPACE_S)
        self.messages = MessageOverlay(page, self.exporter.strip)
        column.addWidget(self.fields["plans"], 1)
        column.addWidget(self.add, 0, Qt.AlignmentFlag.AlignLeft)
        column.addLayout(self._build_retention(policy, page))
        self.gfs = GfsBox(self._retention.gfs, page)
        self.gfs.edited.connect(self._on_edited)
        self.fields["gfs"] = Field(self.gfs, "", page)
        column.addWidget(self.fields["gfs"])
        self.calendar = RetentionCalendar(self._console.theme, page)
        column.addWidget(self.calendar)
        return page

    def _build_table(self, page: QWidget) -> Table[_Line]:
        columns = (
            Column[_Line](
                key="kind",
                title=self.tr("Backup type"),
                text=lambda line: backup_kind_word(line.plan.kind),
                width=style.PILL_WIDTH,
            ),
            Column[_Line](
                key="policy", title=self.tr("Policy"), text=lambda line: plan_words(line.plan), stretch=True
            ),
            Column[_Line](key="actions", title=self.tr("Actions"), text=lambda _: "", width=style.ACTION_SIZE * 3),
        )
        model = RowModel[_Line](columns, key=lambda line: line.place)
        table: Table[_Line] = Table("plans", model, self._console.memory, page)
        table.setAccessibleName(self.tr("Plans"))
        table.setMinimumHeight(style.ROW_HEIGHT * 3)
        table.setSortingEnabled(False)
        self.plan_actions = (
            RowAction[_Line](glyph=Glyph.EDIT, text=self.tr("Change"), run=self._on_change, enabled=self._is_open),
            RowAction[_Line](
                glyph=Glyph.DELETE, text=self.tr("Remove"), run=self._on_remove, enabled=self._is_open
            ),
        )
        self.delegate = RowActionsDelegate(self.plan_actions, self._console.theme, table, 2)
        table.menu_wanted.connect(self._on_menu)
        table.delete_wanted.connect(self._on_delete)
        self.exporter: TableExporter[_Line] = TableExporter(self._console, table, "plans", page)
        table.row_activated.connect(self._on_change)
        return table

    def _build_retention(self, policy: Policy | None, page: QWidget) -> QHBoxLayout:
        self.period = QSpinBox(page)
        self.period.setRange(0, MOST)
        self.period.setValue(self._retention.period)
        self.period.setMinimumWidth(style.FIELD_WIDTH // 4)
        self.period.valueChanged.connect(self._on_edited)
        self.fields["retention"] = Field(self.period, "", page)
        self._label = Label(page)
        self._label.setBuddy(self.period)
        self._label.setMinimumHeight(style.CONTROL_HEIGHT)
        self.newest = QSpinBox(page)
        self.newest.setRange(0, MOST)
        self.newest.setValue(self._retention.keep_newest)
        self.newest.setSpecialValueText(self.tr("none"))
        self.newest.valueChanged.connect(self._on_edited)
        self.fields["newest"] = Field(self.newest, "", page)
        newest_label = Label(self.tr("Always keep the newest"), page)
        newest_label.setBuddy(self.newest)
        newest_label.setMinimumHeight(style.CONTROL_HEIGHT)
        self.make_up = QCheckBox(self.tr("Make up for a missed run when the program starts"), page)
        self.make_up.setChecked(isinstance(policy, Periodic) and policy.policy.run_missed_on_start)
        self.make_up.toggled.connect(self._on_edited)
        self.make_up.setMinimumHeight(style.CONTROL_HEIGHT)
        line = QHBoxLayout()
        line.setSpacing(style.SPACE_M)
        top = Qt.AlignmentFlag.AlignTop
        line.addWidget(self._label, 0, top)
        line.addWidget(self.fields["retention"], 0, top)
        line.addSpacing(style.SPACE_M)
        line.addWidget(newest_label, 0, top)
        line.addWidget(self.fields["newest"], 0, top)
        line.addStretch(1)
        line.addWidget(self.make_up, 0, top)
        return line

    def set_read_only(self) -> None:
        """Let everything be looked at only."""
        self._read_only = True
        fixed = (
            self.once,
            self.periodic,
            self.start,
            self.period,
            self.newest,
            self.gfs,
            self.make_up,
            self.retry,
        )
        for widget in fixed:
            widget.setEnabled(False)
        self.add.hide()

    # --- what is entered --------------------------------------------------------------------------------------

    @property
    def plans(self) -> tuple[Plan, ...]:
        """Return the plans in the table."""
        return tuple(self._plans)

    @property
    def policy(self) -> Policy:
        """Return what is entered."""
        if self.once.isChecked():
            shown = self.start.dateTime().toSecsSinceEpoch()
            return OneTime(policy=OneTimePolicy(start=datetime.fromtimestamp(shown, UTC), retry=self.retry.kept))
        periodic = PeriodicPolicy(plans=tuple(self._plans), run_missed_on_start=self.make_up.isChecked())
        retention = Retention(
            period=self.period.value(),
            unit=periodic.retention_unit,
            keep_newest=self.newest.value(),
            gfs=self.gfs.kept,
        )
        return Periodic(
            policy=PeriodicPolicy(
                plans=periodic.plans,
                retention=retention,
                run_missed_on_start=periodic.run_missed_on_start,
                retry=self.retry.kept,
            )
        )

    def problems(self) -> dict[str, str]:
        """Return what is wrong, by field."""
        policy = self.policy.policy
        if isinstance(policy, OneTimePolicy):
            found: Sequence[PlanProblem] = policy.problems(datetime.now(UTC).astimezone())
        else:
            found = policy.problems()
        told = {problem_place(problem.value): problem_text(problem.value) for problem in reversed(found)}
        if self.periodic.isChecked() and self.newest.value() > COUNT_MAX:
            told["newest"] = problem_text(PlanProblem.COUNT_OUT_OF_RANGE.value)
            if not self.gfs.kept.problems():
                told.pop("gfs", None)
        return told

    # --- plans ------------------------------------------------------------------------------------------------

    def _is_open(self, _line: _Line) -> bool:
        return not self._read_only

    def on_add(self) -> None:
        """Open the dialog for another plan."""
        dialog = PlanDialog(self._console, None, self)
        dialog.succeeded.connect(partial(self._on_added, dialog))
        open_once(dialog)

    def _on_added(self, dialog: PlanDialog) -> None:
        self._set_plans([*self._plans, dialog.plan])

    def _on_change(self, line: _Line) -> None:
        if self._read_only:
            return
        dialog = PlanDialog(self._console, line.plan, self)
        dialog.succeeded.connect(partial(self._on_changed, line.place, dialog))
        open_once(dialog)

    def _on_changed(self, place: int, dialog: PlanDialog) -> None:
        self._set_plans([dialog.plan if at == place else plan for at, plan in enumerate(self._plans)])

    def _on_remove(self, line: _Line) -> None:
        self._set_plans([plan for at, plan in enumerate(self._plans) if at != line.place])

    def _on_delete(self) -> None:
        """Remove the plan the keyboard is on; nothing is lost before the policy is saved."""
        line = self.table.current_row()
        if line is not None and not self._read_only:
            self._on_remove(line)

    def _set_plans(self, plans: Sequence[Plan]) -> None:
        self._plans = list(plans)
        self._show_plans()
        self._on_edited()

    def _show_plans(self) -> None:
        self.table.rows.set_rows([_Line(place, plan) for place, plan in enumerate(self._plans)])
        policy = PeriodicPolicy(plans=tuple(self._plans))
        self._label.setText(retention_label(policy.retention_unit) + " *")
        self.period.setAccessibleName(retention_label(policy.retention_unit))

    def _on_menu(self, line: _Line, position: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        fill_menu(menu, self.plan_actions, line, self._console.colors)
        self.exporter.fill_menu(menu)
        menu.popup(position)

    # --- preview ----------------------------------------------------------------------------------------------

    def _on_kind(self) -> None:
        self._pages.setCurrentIndex(0 if self.periodic.isChecked() else 1)
        self._on_edited()

    def _on_edited(self) -> None:
        self._preview_pause.start()
        self.edited.emit()

    def _ask_preview(self) -> None:
        if self.once.isChecked() or self.problems():
            self.calendar.setVisible(bool(self.calendar.grid.days))
            return
        rule, vm = self._subject or (None, None)
        query = PreviewRetention(policy=self.policy, rule=rule, vm=vm)
        self._question.ask_instead(query, self._on_preview, self._on_no_preview)

    def _on_preview(self, days: tuple[PreviewedDay, ...]) -> None:
        self.calendar.show_days(days)
        self.calendar.show()

    def _on_no_preview(self, _failure: Failure) -> None:
        # The preview is a courtesy: without it the rule can still be made, and the engine says what is wrong then.
        self.calendar.hide()
