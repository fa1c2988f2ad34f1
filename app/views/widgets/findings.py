"""Findings of an examination: each with its severity and remedy."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.contract.base import Query
from app.contract.doctor import Finding, Severity
from app.contract.tasks import StartConsolidation
from app.domain.display import visible
from app.domain.units import filled
from app.views import style
from app.views.console import Console
from app.views.icons import Glyph, icon
from app.views.widgets.banner import Banner
from app.views.widgets.confirm import ConfirmDialog, sends
from app.views.widgets.dialog_help import offer_help
from app.views.widgets.opening import open_once
from app.views.widgets.plain import Label, set_tip, set_title
from app.views.widgets.report_file import write_report
from app.views.widgets.stages import Stages
from app.views.words import message_text
from app.workers.answers import Failure

_LOOKS = {
    Severity.ERROR: (Glyph.ERROR, "failed"),
    Severity.WARNING: (Glyph.WARNING, "pending"),
    Severity.NOTICE: (Glyph.INFO, "active"),
    Severity.OK: (Glyph.SUCCESS, "completed"),
}
_ORDER = list(_LOOKS)


class FindingsDialog(QDialog):
    """Runs an examination and shows its findings, worst first. Thread: GUI."""

    def __init__(
        self,
        console: Console,
        title: str,
        query: Query[tuple[Finding, ...]],
        parent: QWidget | None = None,
        *,
        report: Query[str] | None = None,
    ) -> None:
        """Examine at once; ``report`` returns a text that can be saved to be sent to somebody."""
        super().__init__(parent)
        self._report = report
        self._console = console
        self._query = query
        set_title(self, title)
        self.resize(style.DIALOG_WIDTH, style.DIALOG_HEIGHT)
        heading = Label(title, self)
        heading.setProperty("role", "title")
        self.summary = Label(self)
        self.summary.setProperty("role", "secondary")
        scroll = QScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._list = QWidget(scroll)
        self._rows = QVBoxLayout(self._list)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(style.SPACE_S)
        scroll.setWidget(self._list)
        self._stages = Stages(scroll, console.theme, self)
        self._stages.retry_wanted.connect(self._ask)
        self.banner = Banner(self)
        close = QPushButton(self.tr("Close"), self)
        close.setDefault(True)
        close.clicked.connect(self.accept)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(style.SPACE_XL, style.SPACE_XL, style.SPACE_XL, style.SPACE_L)
        layout.setSpacing(style.SPACE_M)
        layout.addWidget(heading)
        layout.addWidget(self.summary)
        layout.addWidget(self._stages, 1)
        buttons = QHBoxLayout()
        if report is not None:
            self.save = QPushButton(self.tr("Save report…"), self)
            self.save.setAutoDefault(False)
            set_tip(self.save, self.tr("Everything that was found, as a text with all names blurred"))
            self.save.clicked.connect(self._on_save)
            buttons.addWidget(self.save)
        buttons.addStretch(1)
        buttons.addWidget(close)
        layout.addWidget(self.banner)
        layout.addLayout(buttons)
        offer_help(self)
        self._ask()

    def _ask(self) -> None:
        self.summary.setText(self.tr("Looking…"))
        self._stages.show_loading()
        self._console.door.ask(self._query, owner=self, on_done=self._on_found, on_failed=self._on_failed)

    def _on_found(self, findings: Sequence[Finding]) -> None:
        while self._rows.count():
            item = self._rows.takeAt(0)
            if item is not None and (widget := item.widget()) is not None:
                widget.deleteLater()
        for finding in sorted(findings, key=lambda finding: _ORDER.index(finding.severity)):
            self._rows.addWidget(self._card(finding))
        self._rows.addStretch(1)
        bad = sum(finding.severity in (Severity.ERROR, Severity.WARNING) for finding in findings)
        self.summary.setText(
            filled(
                self.tr("{count} {count:thing was/things were} looked at; {bad} {bad:needs/need} attention."),
                {"count": len(findings), "bad": bad},
            )
        )
        self._stages.show_content()

    def _card(self, finding: Finding) -> QWidget:
        glyph, color = _LOOKS[finding.severity]
        card = QFrame(self._list)
        card.setProperty("role", "card")
        picture = Label(card)
        colors = self._console.colors
        picture.setPixmap(icon(glyph, colors, getattr(colors, color)).pixmap(style.ICON, style.ICON))
        message = Label(message_text(finding.message, finding.params), card)
        message.setWordWrap(True)
        subject = Label(finding.subject, card)
        subject.setProperty("role", "secondary")
        texts = QVBoxLayout()
        texts.setSpacing(style.SPACE_XS)
        texts.addWidget(message)
        if finding.hint:
            hint = Label(message_text(finding.hint, finding.params), card)
            hint.setProperty("role", "secondary")
            hint.setWordWrap(True)
            texts.addWidget(hint)
        if finding.remedy is not None:
            texts.addWidget(self._remedy(finding.remedy, card), 0, Qt.AlignmentFlag.AlignLeft)
        row = QHBoxLayout(card)
        row.setContentsMargins(style.SPACE_M, style.SPACE_M, style.SPACE_M, style.SPACE_M)
        row.setSpacing(style.SPACE_M)
        row.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(texts, 1)
        row.addWidget(subject, 0, Qt.AlignmentFlag.AlignTop)
        return card

    def _on_save(self) -> None:
        if self._report is None:
            return
        chosen, _ = QFileDialog.getSaveFileName(
            self, self.tr("Save the report"), "standfast-report.txt", self.tr("Text (*.txt)")
        )
        if not chosen:
            return
        self.save.setEnabled(False)
        self.banner.show_text(self.tr("Examining once more for the report…"))

        def write(text: str) -> None:
            self._console.door.run_apart(
                partial(write_report, Path(chosen), text),
                owner=self,
                on_done=lambda _: self._on_saved(chosen),
                on_failed=self._on_no_report,
            )

        self._console.door.ask(self._report, owner=self, on_done=write, on_failed=self._on_no_report)

    def _on_saved(self, file: str) -> None:
        self.save.setEnabled(True)
        self.banner.show_success(self.tr("The report is in {file}.").format(file=visible(file)))

    def _on_no_report(self, failure: Failure) -> None:
        self.save.setEnabled(True)
        self.banner.show_failure(failure)

    def _remedy(self, command: StartConsolidation, card: QWidget) -> QPushButton:
        button = QPushButton(self.tr("Consolidate the disks…"), card)
        button.setAccessibleName(self.tr("Consolidate the disks of {vm}").format(vm=visible(command.vm_name)))
        button.clicked.connect(partial(self._on_remedy, command, button))
        return button

    def _on_remedy(self, command: StartConsolidation, button: QPushButton) -> None:
        dialog = ConfirmDialog(
            self._console,
            self.tr("Consolidate the disks of {vm}").format(vm=command.vm_name),
            self.tr("Consolidate"),
            sends(self._console, command, self),
            consequences=(
                self.tr("A task merges what removed snapshots have left; large disks can take hours."),
                self.tr("The VM can run meanwhile; its disks are slower, and it stands still for moments."),
            ),
            parent=self,
        )
        dialog.succeeded.connect(partial(self._on_remedy_begun, button))
        open_once(dialog)

    def _on_remedy_begun(self, button: QPushButton) -> None:
        button.setText(self.tr("Under way: see the tasks"))
        button.setEnabled(False)

    def _on_failed(self, failure: Failure) -> None:
        self.summary.setText("")
        self._stages.show_failure(failure)
