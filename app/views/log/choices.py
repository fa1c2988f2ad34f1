"""Which lines of the log: time range and least level."""

from datetime import UTC, datetime, timedelta
from enum import Enum

from PySide6.QtCore import QDateTime, Signal
from PySide6.QtWidgets import QComboBox, QDateTimeEdit, QFrame, QHBoxLayout, QWidget

from app.domain.messages import LogLevel
from app.views import style
from app.views.widgets.plain import Label, set_tip
from app.views.words import level_word

_SHOWN = "yyyy-MM-dd HH:mm"


class Span(Enum):
    """How far back."""

    EVERYTHING = "everything"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    OWN = "own"


_BACK = {
    Span.HOUR: timedelta(hours=1),
    Span.DAY: timedelta(days=1),
    Span.WEEK: timedelta(days=7),
    Span.MONTH: timedelta(days=30),
}


class LogChoices(QWidget):
    """Lets the operator choose time range and least level. Thread: GUI.

    Attributes:
        own_range: The strip with the moments of an own range, for the page to place; hidden without one.

    Signals:
        changed: the operator chose something else.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.span = QComboBox(self)
        for span, text in self._span_words():
            self.span.addItem(text, span)
        self.span.setAccessibleName(self.tr("Time range"))
        self.span.currentIndexChanged.connect(self._on_span)
        self.levels = QComboBox(self)
        for level in LogLevel:
            self.levels.addItem(f"≥ {level_word(level)}", level)
        self.levels.setAccessibleName(self.tr("Level"))
        set_tip(self.levels, self.tr("Lines of this level and above"))
        self.levels.currentIndexChanged.connect(self.changed)
        self.own_range = QFrame(self)
        self.own_range.setObjectName("toolbar")
        self.start, self.end = self._moment_box(days_ago=1), self._moment_box(days_ago=0)
        self.start.setAccessibleName(self.tr("From"))
        self.end.setAccessibleName(self.tr("Until"))
        for box in (self.span, self.levels):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(style.SPACE_S)
        layout.addWidget(self.span)
        layout.addWidget(self.levels)
        own = QHBoxLayout(self.own_range)
        own.setContentsMargins(style.SPACE_L, style.SPACE_S, style.SPACE_L, style.SPACE_S)
        own.setSpacing(style.SPACE_S)
        for text, moment in ((self.tr("From"), self.start), (self.tr("Until"), self.end)):
            label = Label(text, self.own_range)
            label.setBuddy(moment)
            own.addWidget(label)
            own.addWidget(moment)
        own.addStretch(1)
        self._show_own()

    def _span_words(self) -> tuple[tuple[Span, str], ...]:
        return (
            (Span.EVERYTHING, self.tr("Any time")),
            (Span.HOUR, self.tr("Last hour")),
            (Span.DAY, self.tr("Last 24 hours")),
            (Span.WEEK, self.tr("Last 7 days")),
            (Span.MONTH, self.tr("Last 30 days")),
            (Span.OWN, self.tr("Own range…")),
        )

    def _moment_box(self, *, days_ago: int) -> QDateTimeEdit:
        box = QDateTimeEdit(QDateTime.currentDateTime().addDays(-days_ago), self.own_range)
        box.setDisplayFormat(_SHOWN)
        box.setCalendarPopup(True)
        box.editingFinished.connect(self._on_moments)
        return box

    @property
    def level(self) -> LogLevel:
        """Return the least level."""
        level: LogLevel = self.levels.currentData()
        return level

    @property
    def is_open_ended(self) -> bool:
        """Return whether lines that are written from now on belong to the range."""
        return self.span.currentData() is not Span.OWN

    def moments(self) -> tuple[datetime | None, datetime | None]:
        """Return the first moment of the range and the first after it; None where it is open."""
        span: Span = self.span.currentData()
        if span is Span.OWN:
            start = datetime.fromtimestamp(self.start.dateTime().toSecsSinceEpoch() // 60 * 60, UTC)
            end = datetime.fromtimestamp(self.end.dateTime().toSecsSinceEpoch() // 60 * 60, UTC)
            return start, end + timedelta(minutes=1)
        back = _BACK.get(span)
        return (None if back is None else datetime.now(UTC) - back), None

    def show_all(self) -> None:
        """Choose every time and every level."""
        self.span.setCurrentIndex(0)
        self.levels.setCurrentIndex(0)

    def _show_own(self) -> None:
        self.own_range.setVisible(not self.is_open_ended)

    def _on_span(self) -> None:
        self._show_own()
        self.changed.emit()

    def _on_moments(self) -> None:
        if self.start.dateTime() > self.end.dateTime():
            # The one that was just changed stays, the other one follows.
            late, early = (self.end, self.start) if self.sender() is self.start else (self.start, self.end)
            late.setDateTime(early.dateTime())
        self.changed.emit()
