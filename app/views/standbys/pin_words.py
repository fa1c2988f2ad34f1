"""What is said of pins: which restore point, for whom, and for what. GUI thread."""

from typing import Final

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from app.contract.pins import PinProblem, PinRow
from app.domain.display import lines
from app.views import formatting
from app.views.widgets.pill import Pill, Tone
from app.views.words import param_text

_PROBLEMS: Final = {
    PinProblem.UNREADABLE: QT_TRANSLATE_NOOP("Pins", "Unreadable"),
    PinProblem.NEWER: QT_TRANSLATE_NOOP("Pins", "Newer version"),
}


def pin_name(row: PinRow) -> str:
    """Return the VM whose restore point a pin keeps: its name, else the point's id, else why neither is known."""
    if row.problem is not None:
        return QCoreApplication.translate("Pins", str(_PROBLEMS[row.problem]))
    return row.vm_name or str(row.point)


def problem_pill(row: PinRow) -> Pill | None:
    """Return how it is drawn that it is not known what a pin keeps; None where it is."""
    return None if row.problem is None else Pill(pin_name(row), Tone.PENDING)


def about_pin(row: PinRow) -> str | None:
    """Return what a tooltip says of a pin and its restore point."""
    directory = QCoreApplication.translate("Pins", "Directory: {path}").format(path=row.target_path or "/")
    if row.problem is None:
        return lines(dict.fromkeys((pin_name(row), str(row.point), directory)))
    unknown = QCoreApplication.translate("Pins", "It is not known which restore point the pin {pin} keeps.")
    return lines((pin_name(row), unknown.format(pin=row.id), directory))


def purpose_words(row: PinRow) -> str:
    """Return what a restore point is used for."""
    words = param_text(row.purpose)
    return words[:1].upper() + words[1:] if words else formatting.NOTHING


def holder_word(row: PinRow) -> str:
    """Return who uses a restore point: this console, or the machine of another."""
    if row.problem is not None:
        return formatting.NOTHING
    if row.is_ours:
        return QCoreApplication.translate("Pins", "This console")
    return row.host or QCoreApplication.translate("Pins", "Another console")


def about_holder(row: PinRow) -> str | None:
    """Return what a tooltip says of this console's own pins: the machine, and whether work holds them now."""
    if not row.is_ours:
        return None
    if row.is_at_work:
        state = QCoreApplication.translate("Pins", "This console uses it right now.")
    else:
        state = QCoreApplication.translate("Pins", "None of its work uses it any more.")
    return lines(part for part in (row.host, state) if part)
