"""Instant recoveries on the screen: states and figures in the operator's language. GUI thread."""

from datetime import UTC, datetime, timedelta
from typing import Final

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from app.contract.instant import InstantRow, InstantTraffic
from app.domain.instant import InstantState
from app.views import formatting
from app.views.widgets.pill import Pill, Tone
from app.views.words import row_error_tip

_STATES: Final = {
    InstantState.PREPARING: (QT_TRANSLATE_NOOP("InstantWords", "Preparing"), Tone.ACTIVE, True),
    InstantState.CREATING_VM: (QT_TRANSLATE_NOOP("InstantWords", "Creating VM"), Tone.ACTIVE, True),
    InstantState.RUNNING: (QT_TRANSLATE_NOOP("InstantWords", "Running"), Tone.ACTIVE, False),
    InstantState.MIGRATING: (QT_TRANSLATE_NOOP("InstantWords", "Migrating"), Tone.ACTIVE, False),
    InstantState.STOPPED: (QT_TRANSLATE_NOOP("InstantWords", "Stopped"), Tone.IDLE, True),
    InstantState.UNKNOWN: (QT_TRANSLATE_NOOP("InstantWords", "Unknown"), Tone.UNKNOWN, False),
}
_MANY_DAYS: Final = 365.0
_FEW_DAYS: Final = 7.0
_LAST_DAY: Final = 1.0


def instant_pill(row: InstantRow) -> Pill:
    """Return how the state of an instant recovery is drawn; one that moves is a bar once it is known how far."""
    word, tone, outlined = _STATES[row.state]
    text = QCoreApplication.translate("InstantWords", str(word))
    if row.state is InstantState.MIGRATING and row.percent is not None:
        fraction = row.percent / 100
        return Pill(f"{text} {row.percent}%", tone, fraction)
    return Pill(text, tone, None, outlined)


def state_tip(row: InstantRow) -> str | None:
    """Return what went wrong with it and what to do; None where nothing did."""
    return row_error_tip(row.error)


def operations(row: InstantRow) -> float | None:
    """Return how much the VM reads and writes a second, in operations."""
    return None if row.traffic is None else row.traffic.reads_per_s + row.traffic.writes_per_s


def bandwidth(row: InstantRow) -> float | None:
    """Return how much the VM reads and writes a second, in bytes."""
    return None if row.traffic is None else row.traffic.read_bytes_per_s + row.traffic.written_bytes_per_s


def per_second(operations_per_s: float | None) -> str:
    """Return a number of operations a second, as whole ones."""
    return formatting.NOTHING if operations_per_s is None else formatting.count(round(operations_per_s))


def reads_text(traffic: InstantTraffic | None) -> str:
    """Return what a VM reads, in operations and bytes."""
    return _flow(None if traffic is None else (traffic.reads_per_s, traffic.read_bytes_per_s))


def writes_text(traffic: InstantTraffic | None) -> str:
    """Return what a VM writes, in operations and bytes."""
    return _flow(None if traffic is None else (traffic.writes_per_s, traffic.written_bytes_per_s))


def _flow(flow: tuple[float, float] | None) -> str:
    if flow is None:
        return formatting.NOTHING
    words = QCoreApplication.translate("InstantWords", "{count} IOPS · {speed}")
    return words.format(count=per_second(flow[0]), speed=formatting.speed(flow[1]))


def traffic_tip(row: InstantRow) -> str | None:
    """Return reads and writes apart; None while nothing is served."""
    if row.traffic is None:
        return None
    words = QCoreApplication.translate("InstantWords", "Reads {reads}, writes {writes}")
    return words.format(reads=reads_text(row.traffic), writes=writes_text(row.traffic))


def days_text(days: float | None) -> str:
    """Return how long the standby has room; a dash where what is written does not grow."""
    if days is None:
        return formatting.NOTHING
    if days > _MANY_DAYS:
        return QCoreApplication.translate("InstantWords", "> 1 year")
    return formatting.rough_duration(timedelta(days=max(0.0, days)))


def days_pill(row: InstantRow) -> Pill | None:
    """Return how little time is drawn that is left; None where there is enough."""
    if row.days_left is None or row.days_left >= _FEW_DAYS:
        return None
    tone = Tone.FAILED if row.days_left < _LAST_DAY else Tone.PENDING
    return Pill(days_text(row.days_left), tone)


def room_tip(row: InstantRow) -> str | None:
    """Return how much is free at the standby; None where that is not known."""
    if row.free_bytes is None:
        return None
    words = QCoreApplication.translate("InstantWords", "Free at {standby}: {size}")
    return words.format(standby=row.standby_name, size=formatting.size(row.free_bytes))


def overlay_tip(_row: InstantRow) -> str:
    """Return what the size of an overlay is."""
    return QCoreApplication.translate(
        "InstantWords", "What the VM wrote since it was started, as it takes space at the standby machine"
    )


def point_text(row: InstantRow) -> str:
    """Return briefly of when the restore point is; its id where it is not listed any more."""
    return row.point if row.point_at is None else formatting.compact_time(row.point_at, datetime.now(UTC))


def point_tip(row: InstantRow) -> str:
    """Return exactly of when the restore point is; its id where it is not listed any more."""
    return row.point if row.point_at is None else formatting.exact_time(row.point_at)
