"""Migrations on the screen: states and figures in the operator's language. GUI thread."""

from datetime import timedelta
from typing import Final

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from app.contract.migration import MigrationRow
from app.domain.migration import MigrationCheck, MigrationState
from app.views import formatting
from app.views.widgets.pill import Pill, Tone
from app.views.words import row_error_tip

_STATES: Final = {
    MigrationState.PREPARING: (QT_TRANSLATE_NOOP("MigrationWords", "Preparing"), Tone.ACTIVE, True),
    MigrationState.MIGRATING: (QT_TRANSLATE_NOOP("MigrationWords", "Migrating"), Tone.ACTIVE, False),
    MigrationState.READY: (QT_TRANSLATE_NOOP("MigrationWords", "Ready"), Tone.COMPLETED, True),
    MigrationState.CUTTING_OVER: (QT_TRANSLATE_NOOP("MigrationWords", "Cutting over"), Tone.ACTIVE, False),
    MigrationState.STOPPED: (QT_TRANSLATE_NOOP("MigrationWords", "Stopped"), Tone.IDLE, True),
    MigrationState.UNKNOWN: (QT_TRANSLATE_NOOP("MigrationWords", "Unknown"), Tone.UNKNOWN, False),
    MigrationState.COMPLETED: (QT_TRANSLATE_NOOP("MigrationWords", "Completed"), Tone.COMPLETED, False),
    MigrationState.FAILED: (QT_TRANSLATE_NOOP("MigrationWords", "Failed"), Tone.FAILED, False),
}
_MEASURED: Final = frozenset({MigrationState.MIGRATING, MigrationState.CUTTING_OVER})


def migration_pill(row: MigrationRow) -> Pill:
    """Return how the state of a migration is drawn; one that copies is a bar once it is known how far."""
    if row.is_waiting:
        is_ready = row.state is MigrationState.READY
        return Pill(tr("Ready, pending") if is_ready else tr("Pending"), Tone.PENDING)
    word, tone, outlined = _STATES[row.state]
    text = tr(str(word))
    if row.state in _MEASURED and row.percent is not None:
        return Pill(f"{text} {row.percent}%", tone, row.percent / 100)
    return Pill(text, tone, None, outlined)


def state_tip(row: MigrationRow) -> str | None:
    """Return what went wrong with it and what to do, else what its state means where that is not plain."""
    if row.error is not None:
        return row_error_tip(row.error)
    if row.state is MigrationState.READY:
        return tr("The rest is small, and changes are followed until the cut-over.")
    return None


def is_moving(row: MigrationRow) -> bool:
    """Return whether figures of a migration change without an announcement."""
    return row.state is MigrationState.READY or (row.task is not None and not row.is_waiting)


def rest_tip(row: MigrationRow) -> str | None:
    """Return when what is left was counted from, and of how much; None before a first pass."""
    if row.last_pass_at is None or row.rest_bytes is None:
        return None
    words = tr("Changed since {time}, as far as can be told; the disks hold {size}")
    return words.format(time=formatting.exact_time(row.last_pass_at), size=formatting.size(row.held_bytes))


def cut_over_text(row: MigrationRow) -> str:
    """Return how long the source would be off in a cut-over now, roughly."""
    if row.cut_over_s is None:
        return formatting.NOTHING
    return formatting.rough_duration(timedelta(seconds=row.cut_over_s))


def cut_over_tip(row: MigrationRow) -> str | None:
    """Return what takes so long; None where it is not known how long."""
    if row.cut_over_s is None:
        return None
    if row.options.check is MigrationCheck.FULL:
        return tr("The source is off while the rest is copied and everything is compared")
    return tr("The source is off while the rest is copied and a sample is compared")


def tr(text: str) -> str:
    """Return a text of migrations in the operator's language."""
    return QCoreApplication.translate("MigrationWords", text)
