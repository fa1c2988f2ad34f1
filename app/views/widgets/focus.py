"""Where the keyboard is when a dialog opens: in its first field, so that nothing typed is lost. GUI thread."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDialog,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QRadioButton,
    QTabBar,
    QWidget,
)

_FIELDS = (
    QLineEdit,
    QComboBox,
    QAbstractSpinBox,
    QPlainTextEdit,
    QAbstractItemView,
    QCheckBox,
    QRadioButton,
)


def first_field(dialog: QDialog) -> QWidget | None:
    """Return the first field in the order of the Tab key that can be used, None when there is none.

    A field to type into comes before a list or a box to check; what only shows something is none.
    """
    found = [widget for widget in _in_tab_order(dialog) if _can_be_used(widget, dialog)]
    typed = (widget for widget in found if not isinstance(widget, QAbstractItemView | QCheckBox | QRadioButton))
    return next(typed, found[0] if found else None)


def focus_first_field(dialog: QDialog) -> None:
    """Put the keyboard into the first field, unless the dialog has chosen one already.

    Enter becomes the primary button's alone. Call it when the dialog is shown for the first time.
    """
    for button in dialog.findChildren(QPushButton):
        if not button.isDefault():
            button.setAutoDefault(False)
    chosen = dialog.focusWidget()
    if chosen is not None and not isinstance(chosen, QAbstractButton | QTabBar) and _can_be_used(chosen, dialog):
        return
    field = first_field(dialog)
    if field is not None:
        field.setFocus(Qt.FocusReason.OtherFocusReason)
        if isinstance(field, QLineEdit) and not field.hasSelectedText():
            field.selectAll()


def _in_tab_order(dialog: QDialog) -> list[QWidget]:
    found: list[QWidget] = []
    widget = dialog.nextInFocusChain()
    while widget is not None and widget is not dialog:
        if dialog.isAncestorOf(widget) and widget.window() is dialog:
            found.append(widget)
        widget = widget.nextInFocusChain()
    return found


def _can_be_used(widget: QWidget, dialog: QDialog) -> bool:
    if not isinstance(widget, _FIELDS) or not widget.isEnabled() or not widget.isVisibleTo(dialog):
        return False
    if widget.focusProxy() is not None or not widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
        return False
    return not (isinstance(widget, QLineEdit | QPlainTextEdit | QAbstractSpinBox) and widget.isReadOnly())
