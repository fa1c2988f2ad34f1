"""Dialogs to create and edit: labelled fields, help and problems below them, and an error that loses nothing."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QShowEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QTabBar,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app.domain.display import lines
from app.domain.errors import OperationalError
from app.views import style
from app.views.console import Console
from app.views.widgets.banner import Banner
from app.views.widgets.dialog_help import offer_help
from app.views.widgets.focus import focus_first_field
from app.views.widgets.pause import Pause
from app.views.widgets.plain import Label, mnemonic_free, set_tip, set_title
from app.views.widgets.screenfit import ScreenFit
from app.views.words import error_message
from app.workers.answers import Failure

_TYPING_PAUSE_MS = 400


class Field(QWidget):
    """A widget with its help and its problem below it."""

    def __init__(self, content: QWidget, help_text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.content = content
        self.setFocusProxy(content)
        self._problem = Label(self)
        self._problem.setProperty("role", "problem")
        self._problem.setWordWrap(True)
        self._problem.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(style.SPACE_XS)
        layout.addWidget(content)
        if help_text:
            help_label = Label(help_text, self)
            help_label.setProperty("role", "help")
            help_label.setWordWrap(True)
            layout.addWidget(help_label)
        layout.addWidget(self._problem)

    @property
    def problem(self) -> str:
        """Return what is said to be wrong with the field; empty when nothing is."""
        return self._problem.text()

    def set_problem(self, text: str) -> None:
        """Say what is wrong with the field, or with an empty text nothing any more."""
        self._problem.setText(text)
        self._problem.setVisible(bool(text))
        self.content.setProperty("problem", "true" if text else "false")
        self.content.style().unpolish(self.content)
        self.content.style().polish(self.content)
        self.content.setAccessibleDescription(text)


class FormDialog(QDialog):
    """A dialog whose primary button does something that may fail. Thread: GUI.

    Subclasses add fields, override :meth:`problems` and :meth:`submit`. While the request runs the dialog is busy
    and cannot be closed by accident; an error is shown and everything typed stays.

    Signals:
        succeeded: the request was carried out; the dialog closes.
    """

    succeeded = Signal()

    def __init__(self, console: Console, title: str, action: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.console = console
        set_title(self, title)
        self.setModal(True)
        self._fields: list[Field] = []
        self._busy = False
        self._is_allowed = True
        self._complain = False
        self._was_shown = False
        self._typing = Pause(_TYPING_PAUSE_MS, self)
        self._typing.timeout.connect(self._on_typing_paused)
        self._build(title, action)
        offer_help(self)

    def _build(self, title: str, action: str) -> None:
        self._heading = Label(title, self)
        self._heading.setProperty("role", "title")
        self.banner = Banner(self)
        self.body = QVBoxLayout()
        self.body.setSpacing(style.SPACE_M)
        self.primary = QPushButton(action, self)
        self.primary.setProperty("role", "primary")
        self.primary.setDefault(True)
        self.primary.clicked.connect(self.accept)
        self.cancel = QPushButton(self.tr("Cancel"), self)
        self.cancel.setAutoDefault(False)
        self.cancel.clicked.connect(self.reject)
        self.extra_buttons = QHBoxLayout()
        buttons = QHBoxLayout()
        buttons.setSpacing(style.SPACE_S)
        buttons.addLayout(self.extra_buttons)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.primary)
        layout = QVBoxLayout(self)
        layout.setSizeConstraint(QVBoxLayout.SizeConstraint.SetMinimumSize)
        layout.setContentsMargins(style.SPACE_XL, style.SPACE_XL, style.SPACE_XL, style.SPACE_L)
        layout.setSpacing(style.SPACE_L)
        layout.addWidget(self._heading)
        layout.addWidget(self.banner)
        layout.addLayout(self.body, 1)
        layout.addLayout(buttons)

    # --- for subclasses ---------------------------------------------------------------------------------------

    def set_heading(self, title: str) -> None:
        """Say what the dialog does, where its constructor could not know yet."""
        set_title(self, title)
        self._heading.setText(title)

    def add_form(self, into: QBoxLayout | None = None) -> QFormLayout:
        """Add a column of labelled fields, at the end or into a layout, for :meth:`add_field`."""
        form = QFormLayout()
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.setHorizontalSpacing(style.SPACE_L)
        form.setVerticalSpacing(style.SPACE_M)
        (self.body if into is None else into).addLayout(form)
        return form

    def add_field(
        self, form: QFormLayout, label: str, content: QWidget, *, help_text: str = "", required: bool = False
    ) -> Field:
        """Add a field; a required one bears a mark."""
        field = Field(content, help_text, self)
        content.setAccessibleName(label)
        text = Label(mnemonic_free(f"{label} *" if required else label), self)
        text.setBuddy(content)
        text.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        text.setContentsMargins(0, style.SPACE_S, 0, 0)
        text.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        form.addRow(text, field)
        self._fields.append(field)
        if isinstance(content, QLineEdit):
            content.textEdited.connect(self._typing.restart)
            content.setMinimumWidth(style.FIELD_WIDTH)
        elif isinstance(content, QComboBox):
            content.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        return field

    def problems(self) -> dict[Field, str]:
        """Return what is wrong with which field right now."""
        return {}

    def field_of(self, failure: OperationalError) -> Field | None:  # noqa: ARG002 - for dialogs that know
        """Return the field that a refusal of the engine is about; None for the whole request."""
        return None

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Send the request; call exactly one of the two when it has ended."""
        raise NotImplementedError

    def show_problems(self) -> bool:
        """Write each problem below its field; return whether there are none."""
        found = self.problems()
        for field in self._fields:
            field.set_problem(found.get(field, ""))
        grow_later(self)
        set_tip(self.primary, lines(dict.fromkeys(found.values())) if self._complain else "")
        first = next((field for field in self._fields if field in found), None)
        if first is not None and self._complain:
            first.setFocus()
        return not found

    def allow(self, *, allowed: bool) -> None:
        """Let the primary button be pressed, or not yet; while a request runs it never can."""
        self._is_allowed = allowed
        self.primary.setEnabled(allowed and not self._busy)

    # --- behaviour --------------------------------------------------------------------------------------------

    def accept(self) -> None:
        """Send the request when nothing is wrong with the fields."""
        if self._busy or not self._is_allowed:
            return
        self._complain = True
        if not self.show_problems():
            return
        self.banner.hide()
        self._set_busy(busy=True)
        self.submit(self._on_done, self._on_failed)

    def reject(self) -> None:
        """Close without doing anything, unless a request is under way."""
        if not self._busy:
            super().reject()

    def showEvent(self, event: QShowEvent) -> None:
        """Open with the keyboard in the first field."""
        super().showEvent(event)
        if not self._was_shown:
            self._was_shown = True
            focus_first_field(self)
            ScreenFit(self, self.minimumSize()).begin()
            for tabs in self.findChildren(QTabWidget):
                tabs.currentChanged.connect(self._on_tab_changed)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stay open while a request is under way."""
        if self._busy:
            event.ignore()
        else:
            super().closeEvent(event)

    def _on_tab_changed(self) -> None:
        """Keep the keyboard in a field when the one that had it is hidden; in the tabs, where it was there."""
        if not isinstance(self.focusWidget(), QTabBar):
            focus_first_field(self)

    def _set_busy(self, *, busy: bool) -> None:
        self._busy = busy
        self.allow(allowed=self._is_allowed)
        self.cancel.setEnabled(not busy)
        if busy:
            self.setCursor(Qt.CursorShape.BusyCursor)
        else:
            self.unsetCursor()

    def _on_done(self, _answer: object) -> None:
        self._set_busy(busy=False)
        self.succeeded.emit()
        super().accept()

    def _on_failed(self, failure: Failure) -> None:
        self._set_busy(busy=False)
        self.show_failure(failure)

    def show_failure(self, failure: Failure) -> None:
        """Say what went wrong, also below the field that it is about."""
        self.banner.show_failure(failure)
        field = self.field_of(failure) if isinstance(failure, OperationalError) else None
        if field is not None and isinstance(failure, OperationalError):
            field.set_problem(error_message(failure))
            field.setFocus()
        grow_later(self)

    def _on_typing_paused(self) -> None:
        if self._complain:
            self.show_problems()


def grow(dialog: QDialog) -> None:
    """Make room for texts that wrap: Qt's layouts do not ask for it by themselves."""
    layout = dialog.layout()
    needed = layout.totalHeightForWidth(dialog.width()) if layout is not None else 0
    if dialog.height() < needed:
        dialog.resize(dialog.width(), needed)


def grow_later(dialog: QDialog) -> None:
    """Make room once the layout knows of a text that has just changed."""
    QTimer.singleShot(0, dialog, partial(grow, dialog))
