"""Which commands run around a backup. GUI thread."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QWidget

from app.contract.hooks import ReadHooks
from app.domain.display import lines as text_lines
from app.domain.hooks import AllHooks, HookCommand, command_words
from app.views import style
from app.views.console import Console
from app.views.settings.card import SettingsCard
from app.views.widgets.banner import Banner
from app.views.widgets.hooks import HooksDialog
from app.views.widgets.opening import open_once
from app.views.widgets.plain import set_tip
from app.views.widgets.question import Question


class HooksCard(SettingsCard):
    """The commands of every rule that has none of its own."""

    def __init__(self, console: Console, parent: QWidget) -> None:
        super().__init__(parent)
        self._console = console
        self._question = Question(console.door, self)
        self._book: AllHooks | None = None
        self.set_title(self.tr("Backup hooks"))
        self.change = QPushButton(self.tr("Set up…"), self)
        self.change.clicked.connect(self._on_change)
        self.words = self.add_row(self.tr("Common commands"), "", self.change)
        self.banner = Banner(self)
        self.change.setEnabled(False)

    def refresh(self) -> None:
        """Ask which commands are set."""
        self._question.ask(ReadHooks(), self._on_read, self.banner.show_failure)

    def leave(self) -> None:
        """Stop asking."""
        self._question.withdraw()

    def _on_read(self, book: AllHooks) -> None:
        self._book = book
        self.banner.hide()
        before, after = book.common.before, book.common.after
        lines = [
            self.tr("Before each backup: {command}").format(command=self._command(before)),
            self.tr("After each backup: {command}").format(command=self._command(after)),
        ]
        if book.rules:
            lines.append(
                self.tr("Rules with commands of their own, in the menu of the rule: {count}").format(
                    count=len(book.rules)
                )
            )
        self.words.setText(text_lines(lines))
        set_tip(
            self.words, text_lines(command_words(hook.arguments) for hook in (before, after) if hook is not None)
        )
        self.change.setAccessibleDescription(self.words.text())
        self.change.setEnabled(True)

    def _command(self, hook: HookCommand | None) -> str:
        if hook is None:
            return self.tr("nothing is run")
        words = self.words.fontMetrics().elidedText(
            command_words(hook.arguments), Qt.TextElideMode.ElideMiddle, style.FIELD_WIDTH
        )
        return words if hook.enabled else self.tr("{command} (off)").format(command=words)

    def _on_change(self) -> None:
        if self._book is not None:
            dialog = HooksDialog(self._console, self._book, self)
            dialog.succeeded.connect(self.refresh)
            open_once(dialog)
