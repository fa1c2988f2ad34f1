"""The dialog that sets which commands run around a backup. GUI thread."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QTextOption, QValidator
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.contract.hooks import SetHooks
from app.domain.hooks import MAX_RETRIES, MAX_TIME_LIMIT_S, AllHooks, HookCommand, Hooks
from app.domain.ids import RuleId
from app.views import style
from app.views.console import Console
from app.views.widgets.form import Field, FormDialog, grow_later
from app.views.widgets.plain import Label
from app.workers.answers import Failure

_BOX_MAX_S: Final = 99_999
"""The box takes more than is allowed, so that what is wrong can be said instead of swallowing a key."""
_LINES: Final = 4
_SOFT_BREAK: Final = "\N{LINE SEPARATOR}"
"""What stands in a line of the text for a line break inside of an argument: Shift+Enter."""


class ArgumentsEdit(QPlainTextEdit):
    """Arguments, one in each line, exactly as they are given to the program. Thread: GUI.

    Blanks and ends of lines are drawn, so that it can be seen what belongs to an argument.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._kept: tuple[str, ...] = ()
        self.setTabChangesFocus(True)
        shown = QTextOption()
        shown.setFlags(QTextOption.Flag.ShowTabsAndSpaces | QTextOption.Flag.ShowLineAndParagraphSeparators)
        shown.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.document().setDefaultTextOption(shown)
        self.setFixedHeight(self.fontMetrics().lineSpacing() * _LINES + 2 * (style.SPACE_S + style.SPACE_S))

    def show_arguments(self, arguments: Sequence[str]) -> None:
        """Show arguments."""
        self._kept = tuple(arguments)
        lines = [argument.replace("\n", _SOFT_BREAK) for argument in arguments]
        # A last line that is empty is no argument, so one that is empty needs another line behind it.
        self.setPlainText("\n".join([*lines, ""] if lines and not lines[-1] else lines))

    def arguments(self) -> tuple[str, ...]:
        """Return what is typed; an untouched value comes back as it was."""
        if not self.document().isModified():
            return self._kept
        lines: list[str] = []
        block = self.document().begin()
        while block.isValid():
            lines.append(block.text().replace(_SOFT_BREAK, "\n"))
            block = block.next()
        return tuple(lines if lines[-1] else lines[:-1])


class SecondsBox(QSpinBox):
    """Seconds with up to three decimals; the value is milliseconds, so that any kept limit is shown exactly."""

    _TYPED: Final = re.compile(r"\d{0,5}(\.\d{0,3})?")

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setRange(0, _BOX_MAX_S * 1000)
        self.setSingleStep(1000)

    @property
    def seconds(self) -> float:
        """Return the seconds."""
        return self.value() / 1000

    def textFromValue(self, value: int) -> str:
        """Return seconds as they are typed."""
        whole, rest = divmod(value, 1000)
        return f"{whole}.{rest:03}".rstrip("0") if rest else str(whole)

    def valueFromText(self, text: str) -> int:
        """Return what was typed as milliseconds."""
        return round(float(text) * 1000) if any(map(str.isdigit, text)) else 0

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Let digits and one point pass."""
        if not self._TYPED.fullmatch(text):
            return QValidator.State.Invalid, text, position
        is_number = any(map(str.isdigit, text))
        return QValidator.State.Acceptable if is_number else QValidator.State.Intermediate, text, position


class HookFields(QFrame):
    """What can be set of one command. Thread: GUI."""

    def __init__(self, dialog: FormDialog, title: str, *, may_veto: bool) -> None:
        super().__init__(dialog)
        self._kept: HookCommand | None = None
        self._is_decided = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.SPACE_M)
        self.enabled = QCheckBox(title, self)
        self.enabled.clicked.connect(self._on_decided)
        column.addWidget(self.enabled)
        self.program = QLineEdit(self)
        self.program.textEdited.connect(self._on_program)
        self.arguments = ArgumentsEdit(self)
        self.limit = SecondsBox(self)
        self.retries = QSpinBox(self)
        self.retries.setRange(0, 99)
        self._build_form(dialog, column)
        self.veto = QCheckBox(self.tr("Make no backup when it fails"), self)
        self.veto.setVisible(may_veto)
        if may_veto:
            column.addWidget(self.veto)
        else:
            always = Label(self.tr("Runs also when the backup failed or was stopped."), self)
            always.setProperty("role", "help")
            always.setWordWrap(True)
            column.addWidget(always)
        column.addStretch(1)
        for widget in (self.program, self.arguments, self.limit, self.retries):
            widget.setAccessibleName(f"{title}: {widget.accessibleName()}")

    def _build_form(self, dialog: FormDialog, column: QVBoxLayout) -> None:
        form = dialog.add_form(column)
        self.program_field = dialog.add_field(
            form,
            self.tr("Program"),
            self.program,
            help_text=self.tr("Its path, or its name in PATH, without quotation marks"),
            required=True,
        )
        self.program.setMinimumWidth(style.FIELD_WIDTH * 3 // 4)
        self.arguments_field = dialog.add_field(
            form,
            self.tr("Arguments"),
            self.arguments,
            help_text=self.tr("One in each line, passed on exactly as written: no shell sees it"),
        )
        self.limit_field = dialog.add_field(form, self.tr("Time limit (seconds)"), self.limit)
        self.retries_field = dialog.add_field(form, self.tr("Retries"), self.retries)
        for field in (self.limit_field, self.retries_field):
            # A number needs little room; what is said below it needs the whole column.
            field.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
            layout = field.layout()
            if layout is not None:
                layout.setAlignment(field.content, Qt.AlignmentFlag.AlignLeft)

    def show_command(self, command: HookCommand | None) -> None:
        """Show a command, or room for one."""
        self._kept = command
        self._is_decided = command is not None
        shown = command or HookCommand(arguments=(), enabled=False)
        self.enabled.setChecked(shown.enabled)
        self.program.setText(shown.arguments[0] if shown.arguments else "")
        self.program.setCursorPosition(0)
        self.arguments.show_arguments(shown.arguments[1:])
        self.limit.setValue(round(shown.time_limit_s * 1000))
        self.retries.setValue(shown.retries)
        self.veto.setChecked(shown.veto)

    def command(self) -> HookCommand | None:
        """Return the command; None where there is none."""
        program, arguments = self._program(), self.arguments.arguments()
        if not program and not arguments and not self.enabled.isChecked():
            return None
        return HookCommand(
            arguments=(program, *arguments),
            time_limit_s=self.limit.seconds,
            retries=self.retries.value(),
            veto=self.veto.isChecked(),
            enabled=self.enabled.isChecked(),
        )

    def problems(self) -> dict[Field, str]:
        """Return what is wrong with which field."""
        found = {self.program_field: self._program_problem()}
        if any("\0" in argument for argument in self.arguments.arguments()):
            found[self.arguments_field] = self.tr(
                "An argument has a character that cannot be given; type it again."
            )
        if not 0 < self.limit.seconds <= MAX_TIME_LIMIT_S:
            words = self.tr("Enter more than 0 and at most {most} seconds, which is a day.")
            found[self.limit_field] = words.format(most=MAX_TIME_LIMIT_S)
        if self.retries.value() > MAX_RETRIES:
            found[self.retries_field] = self.tr("It can be tried again 0 to {most} times.").format(
                most=MAX_RETRIES
            )
        return {field: words for field, words in found.items() if words}

    def _program(self) -> str:
        """Return the program; a line of text cannot show line breaks, so an untouched value is as it was."""
        if not self.program.isModified() and self._kept is not None and self._kept.arguments:
            return self._kept.arguments[0]
        return self.program.text()

    def _program_problem(self) -> str:
        program = self._program()
        if not program.strip():
            return self.tr("Enter the program, or switch the command off.") if self.enabled.isChecked() else ""
        if program != program.strip():
            return self.tr("The program begins or ends with a blank; delete it.")
        if not program.isprintable():
            return self.tr("The program has characters that cannot be shown; type it again.")
        if program[0] in "\"'" and program[-1] == program[0]:
            return self.tr("Enter the program without quotation marks: blanks in its path do no harm.")
        return ""

    def _on_decided(self) -> None:
        self._is_decided = True
        if self.enabled.isChecked():
            self.program.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_program(self, text: str) -> None:
        """Switch a hook on once its program is typed, until the operator says otherwise."""
        if not self._is_decided:
            self.enabled.setChecked(bool(text.strip()))


class HooksDialog(FormDialog):
    """Sets the common commands, or those of a rule. Thread: GUI."""

    def __init__(
        self, console: Console, book: AllHooks, parent: QWidget, *, rule: RuleId | None = None, rule_name: str = ""
    ) -> None:
        super().__init__(console, "", "", parent)
        self._book = book
        self._rule = rule
        self._own = book.of_rule(rule)
        self.primary.setText(self.tr("Save commands"))
        heading = self.tr("Set the commands of the rule {name}") if rule else self.tr("Set the common commands")
        self.set_heading(heading.format(name=rule_name))
        self.body.addWidget(self._introduction())
        self.whose = QComboBox(self)
        self.whose.addItem(self.tr("The common commands"), False)  # noqa: FBT003 - the item's data
        self.whose.addItem(self.tr("Commands of its own"), True)  # noqa: FBT003 - the item's data
        self.whose.setVisible(rule is not None)
        if rule is not None:
            self.add_field(self.add_form(), self.tr("This rule uses"), self.whose)
        self.before = HookFields(self, self.tr("Run a command before each backup"), may_veto=True)
        self.after = HookFields(self, self.tr("Run a command after each backup"), may_veto=False)
        both = QHBoxLayout()
        both.setSpacing(style.SPACE_XL)
        for fields in (self.before, self.after):
            both.addWidget(fields, 1)
        self.body.addLayout(both, 1)
        self._show(self._own)
        if rule is not None:
            self.whose.setCurrentIndex(self.whose.findData(rule in book.rules))
            self._enable()
            self.whose.currentIndexChanged.connect(self._on_whose)
        grow_later(self)

    @property
    def is_own(self) -> bool:
        """Return whether the fields are what will be kept, and not only shown."""
        return self._rule is None or bool(self.whose.currentData())

    def problems(self) -> dict[Field, str]:
        """Return what is wrong; nothing with commands that are only shown."""
        return {**self.before.problems(), **self.after.problems()} if self.is_own else {}

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Save the commands."""
        command = SetHooks(rule=self._rule, hooks=self._typed() if self.is_own else None)
        self.console.door.execute(command, owner=self, on_done=on_done, on_failed=on_failed)

    def _introduction(self) -> Label:
        words = self.tr(
            "They run on the machine of the engine, as its user, once for each VM. Environment variables say "
            "which VM it is."
        )
        label = Label(words, self)
        label.setProperty("role", "secondary")
        label.setWordWrap(True)
        return label

    def _typed(self) -> Hooks:
        return Hooks(before=self.before.command(), after=self.after.command())

    def _show(self, hooks: Hooks) -> None:
        self.before.show_command(hooks.before)
        self.after.show_command(hooks.after)

    def _enable(self) -> None:
        for fields in (self.before, self.after):
            fields.setEnabled(self.is_own)

    def _on_whose(self) -> None:
        """Show the common commands, or what was typed as the rule's own."""
        if self.is_own:
            self._show(self._own)
        else:
            self._own = self._typed()
            self._show(self._book.common)
        self._enable()
        self.show_problems()
