"""Taking the rules of a console over that is gone."""

from collections.abc import Callable, Hashable, Sequence

from PySide6.QtCore import QTime
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QTimeEdit, QWidget

from app.contract.moving import FoundConsole, FoundRule, TakeOver, TakeOverReport
from app.contract.standbys import StandbyRow
from app.domain.display import lines
from app.domain.policies import RETENTION_MAX, RETENTION_MIN
from app.models.rows import Column, RowModel
from app.views import formatting, style
from app.views.console import Console
from app.views.widgets.count_box import CountBox
from app.views.widgets.form import Field, FormDialog
from app.views.widgets.list_dialog import in_card
from app.views.widgets.pill import Pill, PillDelegate, Tone
from app.views.widgets.plain import Label
from app.views.widgets.table import Table
from app.workers.answers import Failure

_AT = QTime(22, 0)
_KEEP_DAYS = 30


class TakeOverDialog(FormDialog):
    """Shows whose rules are at a standby machine, and takes one console's over after its name was typed.

    Thread: GUI.

    Attributes:
        report: what was done; None before.
    """

    def __init__(
        self, console: Console, row: StandbyRow, consoles: Sequence[FoundConsole], parent: QWidget | None = None
    ) -> None:
        super().__init__(console, "", "", parent)
        self.report: TakeOverReport | None = None
        self._row = row
        self.set_heading(self.tr("Take over rules at {name}").format(name=row.name))
        self.primary.setText(self.tr("Take over"))
        self.resize(style.DIALOG_WIDTH + style.SPACE_XL * 8, style.DIALOG_HEIGHT)
        text = Label(
            self.tr(
                "The rules become this console's. The other console makes no restore points there any more and "
                "deletes none, should its workstation come back; it goes on reading."
            ),
            self,
        )
        text.setProperty("role", "secondary")
        text.setWordWrap(True)
        self.body.addWidget(text)
        self.consoles = QComboBox(self)
        for found in consoles:
            self.consoles.addItem(self._console_words(found), found)
        self.add_field(self.add_form(), self.tr("Workstation"), self.consoles)
        self._build_table()
        self._build_schedule()
        self.stopped = QCheckBox(self.tr("Adopt the rules stopped"), self)
        self.body.addWidget(self.stopped)
        self.typed = QLineEdit(self)
        self.typed_field = self.add_field(self.add_form(), self.tr("Type its name"), self.typed, required=True)
        self.consoles.currentIndexChanged.connect(self._on_console)
        self._on_console()

    def _build_table(self) -> None:
        columns: tuple[Column[FoundRule], ...] = (
            Column(key="name", title=self.tr("Name"), text=lambda rule: rule.name, width=150, stretch=True),
            Column(
                key="vms",
                title=self.tr("VMs"),
                text=lambda rule: ", ".join(rule.vms),
                tooltip=lambda rule: lines(rule.vms),
                width=180,
            ),
            Column(
                key="platform",
                title=self.tr("Virtual platform"),
                text=self._platform_words,
                paint=self._platform_pill,
                tooltip=self._platform_tip,
                width=170,
            ),
            Column(
                key="points",
                title=self.tr("Restore points"),
                text=lambda rule: str(rule.points),
                sort=lambda rule: rule.points,
                numeric=True,
                width=110,
            ),
            Column(
                key="newest",
                title=self.tr("Newest"),
                text=lambda rule: formatting.exact_time(rule.newest),
                sort=lambda rule: rule.newest,
                width=168,
            ),
        )
        self.table: Table[FoundRule] = Table("take_over", RowModel(columns, _key), self.console.memory, self)
        self.table.setAccessibleName(self.tr("Rules at the standby machine"))
        self.table.setItemDelegateForColumn(2, PillDelegate(self.table))
        self.table.setMinimumHeight(style.DIALOG_HEIGHT // 3)
        self.body.addWidget(in_card(self.table, self), 1)

    def _build_schedule(self) -> None:
        self.at = QTimeEdit(_AT, self)
        self.at.setDisplayFormat("HH:mm")
        self.keep = CountBox(self.tr("{count} {count:day/days}"), self, most=RETENTION_MAX)
        self.keep.setMinimum(RETENTION_MIN)
        self.keep.setValue(_KEEP_DAYS)
        self.schedule = Label(
            self.tr(
                "Only restore points are there: how the rules ran is not known. They run once a day, incremental."
            ),
            self,
        )
        self.schedule.setWordWrap(True)
        self.body.addWidget(self.schedule)
        self._form = self.add_form()
        self.add_field(self._form, self.tr("Run daily at"), self.at)
        self.add_field(self._form, self.tr("Keep restore points"), self.keep)

    # --- words -------------------------------------------------------------------------------------------------

    def _console_words(self, found: FoundConsole) -> str:
        if not found.console:
            return self.tr("Unknown: restore points only")
        if found.is_at_work:
            return self.tr("{host}, at work right now").format(host=found.host)
        return self.tr("{host}, last seen {time}").format(
            host=found.host, time=formatting.exact_time(found.seen_at)
        )

    def _platform_words(self, rule: FoundRule) -> str:
        return rule.platform_name or self.tr("Not registered")

    def _platform_pill(self, rule: FoundRule) -> Pill | None:
        return None if rule.platform_name else Pill(self.tr("Not registered"), Tone.PENDING)

    def _platform_tip(self, rule: FoundRule) -> str | None:
        if rule.platform_name:
            return rule.platform_address
        words = self.tr("Register {address} under Virtual platforms, then take over.")
        return words.format(address=rule.platform_address)

    # --- behaviour -----------------------------------------------------------------------------------------------

    @property
    def chosen(self) -> FoundConsole:
        """Return the console that is taken over."""
        found: FoundConsole = self.consoles.currentData()
        return found

    @property
    def expected(self) -> str:
        """Return what has to be typed."""
        return self.chosen.host or self._row.name

    def problems(self) -> dict[Field, str]:
        """Return what is wrong with the name that was typed."""
        if self.typed.text().strip().casefold() == self.expected.casefold():
            return {}
        return {self.typed_field: self.tr("Type {name} to confirm.").format(name=self.expected)}

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Take over."""

        def done(report: TakeOverReport) -> None:
            self.report = report
            on_done(report)

        is_loose = not self.chosen.console
        command = TakeOver(
            standby=self._row.id,
            console=self.chosen.console,
            confirmation=self.typed.text(),
            daily_at=self.at.time().toString("HH:mm") if is_loose else None,
            keep_days=self.keep.value(),
            stopped=self.stopped.isChecked(),
        )
        self.console.door.execute(command, owner=self, on_done=done, on_failed=on_failed)

    def _on_console(self) -> None:
        found = self.chosen
        self.table.rows.set_rows(found.rules)
        self.schedule.setVisible(not found.console)
        for row in range(self._form.rowCount()):
            self._form.setRowVisible(row, not found.console)
        self.typed.setPlaceholderText(self.expected)
        self.banner.hide()
        if found.is_at_work:
            self.banner.show_warning(
                self.tr("{host} is at work there right now.").format(host=found.host),
                self.tr("Take over only if that workstation is to be given up."),
            )
        elif found.taken_by:
            self.banner.show_text(
                self.tr("The console on {host} has taken these rules over already.").format(host=found.taken_by)
            )


def _key(rule: FoundRule) -> Hashable:
    return rule.target_path, rule.name, rule.platform_address
