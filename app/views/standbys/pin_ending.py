"""The question before a pin is ended: whose it is, what for, and what may break. GUI thread."""

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from app.contract.pins import EndPin, PinProblem, PinRow
from app.views import formatting
from app.views.console import Console
from app.views.standbys.pin_words import holder_word
from app.views.widgets.confirm import ConfirmDialog, sends
from app.views.words import param_text


def question_about(console: Console, row: PinRow, standby_name: str, owner: QWidget) -> ConfirmDialog:
    """Return the question whether to end a pin.

    What has to be typed names whom it hits: the holder's machine, else the VM; where neither is known, the standby
    machine.
    """
    command = EndPin(standby=row.standby, target_path=row.target_path, pin=row.id)
    return ConfirmDialog(
        console,
        _title(row),
        QCoreApplication.translate("Pins", "End pin"),
        sends(console, command, owner),
        consequences=_unknown(row) if row.problem is not None else _known(row),
        type_name=row.host or row.vm_name or standby_name,
        parent=owner,
    )


def _title(row: PinRow) -> str:
    if row.problem is PinProblem.UNREADABLE:
        return QCoreApplication.translate("Pins", "End a pin that cannot be read")
    if row.problem is PinProblem.NEWER:
        return QCoreApplication.translate("Pins", "End a pin of a newer version")
    if row.is_ours:
        return QCoreApplication.translate("Pins", "End a pin of this console")
    return QCoreApplication.translate("Pins", "End the pin of {host}").format(host=holder_word(row))


def _known(row: PinRow) -> tuple[str, ...]:
    if row.is_ours:
        holding = QCoreApplication.translate(
            "Pins",
            "This console took it at {since} ({purpose}), and none of its work uses it any more.",
        )
        risks: tuple[str, ...] = ()
    else:
        holding = QCoreApplication.translate("Pins", "{host} has been using it since {since} ({purpose}).")
        risks = (
            QCoreApplication.translate(
                "Pins",
                "A machine that only sleeps or is cut off comes back and goes on using it: it loses the restore "
                "point once that is deleted, and a recovery that runs from it breaks.",
            ),
            QCoreApplication.translate("Pins", "End the pin only if that console does not exist any more."),
        )
    since, purpose = formatting.exact_time(row.since), param_text(row.purpose)
    return (
        _point(row),
        holding.format(host=holder_word(row), since=since, purpose=purpose),
        QCoreApplication.translate(
            "Pins", "Nothing is deleted now, but from then on an operator or retention can delete it."
        ),
        *risks,
    )


def _point(row: PinRow) -> str:
    if row.vm_name and row.point_at is not None:
        words = QCoreApplication.translate("Pins", "{vm}, restore point of {time}")
        return words.format(vm=row.vm_name, time=formatting.exact_time(row.point_at))
    return QCoreApplication.translate("Pins", "The restore point {point}").format(point=row.point)


def _unknown(row: PinRow) -> tuple[str, ...]:
    directory = row.target_path or "/"
    if row.problem is PinProblem.NEWER:
        why = QCoreApplication.translate(
            "Pins",
            "A newer version of the program wrote the pin {pin}: it is not known here which restore point it "
            "keeps, and for whom. A console of that version shows it.",
        )
    else:
        why = QCoreApplication.translate(
            "Pins", "The pin {pin} is damaged: it is not known which restore point it keeps, and for whom."
        )
    blocked = QCoreApplication.translate(
        "Pins",
        "While it is there, no restore point in the directory {path} is deleted and no garbage is collected.",
    )
    return (
        why.format(pin=row.id),
        blocked.format(path=directory),
        QCoreApplication.translate(
            "Pins",
            "Afterwards a console that still uses one there can lose it, and a recovery that runs from it breaks.",
        ),
        QCoreApplication.translate("Pins", "End the pin only if no console uses a restore point there any more."),
    )
