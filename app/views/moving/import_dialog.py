"""Importing a configuration: compared with what is here first, then as the operator chose."""

from collections.abc import Callable, Hashable

from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QPushButton, QWidget

from app.contract.moving import ImportConfiguration, ImportItem, ImportPlan, ImportReport, ItemDecision, PlanImport
from app.domain.moving import ItemChoice, ItemKind
from app.models.rows import Column, RowModel
from app.views import formatting, style
from app.views.console import Console
from app.views.moving.words import (
    about_item,
    choice_word,
    deed_word,
    item_name,
    kind_word,
    reason_words,
    state_pill,
    state_word,
)
from app.views.standbys.passphrases import secret_entry
from app.views.widgets.form import FormDialog, grow_later
from app.views.widgets.list_dialog import in_card
from app.views.widgets.pill import PillDelegate
from app.views.widgets.plain import Label
from app.views.widgets.question import Question
from app.views.widgets.table import Table
from app.workers.answers import Failure


class ImportDialog(FormDialog):
    """Shows what an import would do, takes the operator's choices, and does it. Thread: GUI.

    Attributes:
        report: what was done; None before.
    """

    def __init__(self, console: Console, content: bytes, plan: ImportPlan, parent: QWidget | None = None) -> None:
        super().__init__(console, "", "", parent)
        self.report: ImportReport | None = None
        self._content = content
        self._plan = plan
        self._passphrase: str | None = None
        self._decisions: dict[tuple[ItemKind, str], ItemDecision] = {}
        self._question = Question(console.door, self)
        self.set_heading(self.tr("Import a configuration"))
        self.primary.setText(self.tr("Import"))
        self.resize(style.DIALOG_WIDTH + style.SPACE_XL * 8, style.DIALOG_HEIGHT)
        self.origin = Label(self)
        self.origin.setProperty("role", "secondary")
        self.origin.setWordWrap(True)
        self.body.addWidget(self.origin)
        self._build_passphrase()
        self._build_table()
        self._build_choice()
        self.stopped = QCheckBox(
            self.tr("Import the rules stopped, for as long as the old workstation runs"), self
        )
        self.body.addWidget(self.stopped)
        self._show(plan)

    def _build_passphrase(self) -> None:
        self.passphrase = secret_entry(self)
        self.unlock = QPushButton(self.tr("Open"), self)
        self.unlock.setAutoDefault(False)
        self.unlock.clicked.connect(self._on_unlock)
        self._sealed = QWidget(self)
        row = QHBoxLayout(self._sealed)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(style.SPACE_S)
        row.addWidget(self.passphrase, 1)
        row.addWidget(self.unlock)
        form = self.add_form()
        self.secrets_field = self.add_field(
            form,
            self.tr("Passphrase"),
            self._sealed,
            help_text=self.tr(
                "The file holds passwords and keys. Without the passphrase they stay out, and the virtual "
                "platforms ask for their passwords afterwards."
            ),
        )
        self.passphrase.setAccessibleName(self.tr("Passphrase"))
        form.setRowVisible(0, self._plan.has_secrets)

    def _build_table(self) -> None:
        columns = (
            Column(key="name", title=self.tr("Name"), text=item_name, tooltip=about_item, width=170, stretch=True),
            Column(key="kind", title=self.tr("Type"), text=kind_word, width=130),
            Column(
                key="state",
                title=self.tr("Compared"),
                text=state_word,
                paint=state_pill,
                tooltip=about_item,
                width=130,
            ),
            Column(key="deed", title=self.tr("Import"), text=deed_word, width=190),
            Column(key="reason", title=self.tr("Differs in"), text=reason_words, tooltip=about_item, width=200),
        )
        self.table: Table[ImportItem] = Table("import", RowModel(columns, _key), self.console.memory, self)
        self.table.setSelectionMode(Table.SelectionMode.SingleSelection)
        self.table.setAccessibleName(self.tr("Parts of the configuration"))
        self.table.setItemDelegateForColumn(2, PillDelegate(self.table))
        self.table.setMinimumHeight(style.DIALOG_HEIGHT // 2)
        self.table.selectionModel().selectionChanged.connect(self._on_selected)
        self.body.addWidget(in_card(self.table, self), 1)

    def _build_choice(self) -> None:
        self.choice_name = Label(self)
        self.choice = QComboBox(self)
        self.choice.setMinimumWidth(style.FIELD_WIDTH)
        self.choice.activated.connect(self._on_choice)
        self.choice_name.setBuddy(self.choice)
        row = QHBoxLayout()
        row.setSpacing(style.SPACE_M)
        row.addWidget(self.choice_name, 1)
        row.addWidget(self.choice)
        self.body.addLayout(row)

    # --- behaviour -----------------------------------------------------------------------------------------------

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Import as it is shown."""

        def done(report: ImportReport) -> None:
            self.report = report
            on_done(report)

        command = ImportConfiguration(
            content=self._content,
            passphrase=self._passphrase,
            decisions=tuple(self._decisions.values()),
            stopped=self.stopped.isChecked(),
        )
        self.console.door.execute(command, owner=self, on_done=done, on_failed=on_failed)

    def _show(self, plan: ImportPlan) -> None:
        self._plan = plan
        self.origin.setText(
            self.tr("Exported on {host} at {time}, by version {version}.").format(
                host=plan.host, time=formatting.exact_time(plan.made_at), version=plan.program
            )
        )
        chosen = self.table.current_row()
        self.table.rows.set_rows(plan.items)
        if chosen is None or not self.table.select(_key(chosen)):
            first = next((item for item in plan.items if len(item.choices) > 1), None) or next(
                iter(plan.items), None
            )
            if first is not None:
                self.table.select(_key(first))
        is_open = plan.secrets_open or not plan.has_secrets
        self.passphrase.setEnabled(not is_open)
        self.unlock.setEnabled(not is_open)
        self.unlock.setText(self.tr("Open") if not plan.secrets_open else self.tr("Opened"))
        self._on_selected()

    def _ask(self, passphrase: str | None) -> None:
        def done(plan: ImportPlan) -> None:
            self.banner.hide()
            self._passphrase = passphrase
            self.allow(allowed=True)
            self._show(plan)

        def failed(failure: Failure) -> None:
            self.allow(allowed=True)
            self.unlock.setEnabled(not self._plan.secrets_open)
            self.show_failure(failure)

        self.allow(allowed=False)
        query = PlanImport(content=self._content, passphrase=passphrase, decisions=tuple(self._decisions.values()))
        self._question.ask(query, done, failed)

    def _on_unlock(self) -> None:
        if self.passphrase.text():
            self.unlock.setEnabled(False)
            self._ask(self.passphrase.text())
        else:
            self.secrets_field.set_problem(self.tr("Enter a passphrase."))
            grow_later(self)

    def _on_selected(self, _now: object = None, _before: object = None) -> None:
        item = next(iter(self.table.selected_rows()), None)
        self.choice.clear()
        if item is None:
            self.choice_name.setText("")
            self.choice.setEnabled(False)
            return
        self.choice_name.setText(self.tr("What to do with {name}").format(name=item_name(item)))
        for choice in item.choices or (item.chosen,):
            words = choice_word(choice, item) if item.choices else deed_word(item)
            self.choice.addItem(words, choice)
            if choice is item.chosen:
                self.choice.setCurrentIndex(self.choice.count() - 1)
        self.choice.setEnabled(len(item.choices) > 1)

    def _on_choice(self, place: int) -> None:
        item = next(iter(self.table.selected_rows()), None)
        if item is None:
            return
        choice: ItemChoice = self.choice.itemData(place)
        self._decisions[item.kind, item.key] = ItemDecision(
            kind=item.kind,
            key=item.key,
            choice=choice,
            replaces=item.known_id if choice is ItemChoice.REPLACE else "",
        )
        self._ask(self._passphrase)


def _key(item: ImportItem) -> Hashable:
    return item.kind, item.key
