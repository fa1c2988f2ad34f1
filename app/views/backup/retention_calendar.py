"""What retention will keep: a calendar of the next weeks on which a day shows the points that exist then."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.contract.rules import PreviewedDay
from app.domain.display import lines
from app.domain.policies import Weekday
from app.domain.states import BackupKind
from app.views import style
from app.views.backup.policy_words import weekday_word
from app.views.console import ThemeSwitch
from app.views.widgets.plain import Label, show_tip
from app.views.words import backup_kind_word

_WEEK = 7


class _Grid(QWidget):
    """Weeks side by side, a day a cell; the chosen day's points are tinted."""

    def __init__(self, theme: ThemeSwitch, owner: "RetentionCalendar") -> None:
        super().__init__(owner)
        self._theme = theme
        self._owner = owner
        self.days: tuple[PreviewedDay, ...] = ()
        self.chosen = 0
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setFixedHeight((_WEEK + 1) * style.CALENDAR_CELL)
        theme.changed.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        """Return the size in which every day has room for its number."""
        return QSize(style.EDITOR_WIDTH - 4 * style.SPACE_XL, (_WEEK + 1) * style.CALENDAR_CELL)

    # --- geometry ---------------------------------------------------------------------------------------------

    @property
    def _monday(self) -> date:
        first = self.days[0].day
        return first - timedelta(days=first.weekday())

    def day_box(self, place: int) -> QRectF:
        """Return where a day is drawn."""
        since = (self.days[place].day - self._monday).days
        weeks = (self.days[-1].day - self._monday).days // _WEEK + 1
        left = style.CALENDAR_CELL * 2.0
        width = (self.width() - left) / weeks
        return QRectF(
            left + since // _WEEK * width,
            (since % _WEEK + 1) * style.CALENDAR_CELL,
            width,
            style.CALENDAR_CELL,
        )

    def _place_at(self, position: QPointF) -> int | None:
        return next((place for place in range(len(self.days)) if self.day_box(place).contains(position)), None)

    # --- drawing ----------------------------------------------------------------------------------------------

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the calendar."""
        if not self.days:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(style.tabular_font(style.SECONDARY_PX))
        painter.setPen(QColor(self._theme.colors.secondary))
        for day in Weekday:
            top = (day + 1) * style.CALENDAR_CELL
            line = QRectF(0, top, style.CALENDAR_CELL * 2 - style.SPACE_XS, style.CALENDAR_CELL)
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, weekday_word(day))
        kept = {point.created_at.astimezone().date() for point in self.days[self.chosen].points}
        for place in range(len(self.days)):
            self._paint_month(painter, place)
            self._paint_day(painter, place, is_kept=self.days[place].day in kept)

    def _paint_month(self, painter: QPainter, place: int) -> None:
        day = self.days[place].day
        if place and day.day != 1:
            return
        box = self.day_box(place)
        # The first days' month has room only when the next month does not begin within two weeks.
        if place == 0 and (_next_month(day) - day).days < 2 * _WEEK:
            return
        painter.setPen(QColor(self._theme.colors.secondary))
        label = QRectF(box.left() + 2, 0, box.width() * 3, style.CALENDAR_CELL)
        painter.drawText(label, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, f"{day:%Y-%m}")

    def _paint_day(self, painter: QPainter, place: int, *, is_kept: bool) -> None:
        colors = self._theme.colors
        preview = self.days[place]
        box = self.day_box(place).adjusted(1, 1, -1, -1)
        ground = QColor(colors.completed if is_kept else colors.skeleton)
        ground.setAlphaF(0.24 if is_kept else 0.45)
        edge = QPen(QColor(colors.accent), 1.5) if place == self.chosen else Qt.PenStyle.NoPen
        painter.setPen(edge)
        painter.setBrush(ground)
        painter.drawRoundedRect(box, style.SPACE_XS, style.SPACE_XS)
        painter.setPen(QColor(colors.text if is_kept or place >= self.chosen else colors.disabled))
        painter.drawText(
            box.adjusted(style.SPACE_XS, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, str(preview.day.day)
        )
        kinds = {kind for _, kind in preview.runs}
        center = QPointF(box.right() - style.SPACE_S, box.center().y())
        if kinds:
            paint_kind(painter, center, strongest(kinds), QColor(colors.active))

    # --- choosing a day ---------------------------------------------------------------------------------------

    def _choose(self, place: int) -> None:
        self.chosen = max(0, min(len(self.days) - 1, place))
        self.update()
        self._owner.describe_chosen()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the day under the pointer."""
        place = self._place_at(event.position())
        if place is not None:
            self._choose(place)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move by days and weeks with the arrow keys."""
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_Left: -_WEEK, Qt.Key.Key_Right: _WEEK}
        step = steps.get(Qt.Key(event.key()))
        if step is None or not self.days:
            super().keyPressEvent(event)
        else:
            self._choose(self.chosen + step)

    def event(self, event: QEvent) -> bool:
        """Show the runs of a day in a tooltip."""
        if isinstance(event, QHelpEvent) and self.days:
            place = self._place_at(QPointF(event.pos()))
            if place is not None:
                show_tip(event.globalPos(), self._owner.describe(self.days[place]), self)
            return True
        return super().event(event)

    def _on_theme_changed(self) -> None:
        self.update()


class RetentionCalendar(QWidget):
    """The retention preview. Choosing a day shows which points will exist on it. Thread: GUI."""

    def __init__(self, theme: ThemeSwitch, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.summary = Label(self)
        self.summary.setWordWrap(True)
        self.grid = _Grid(theme, self)
        self.legend = Label(
            self.tr("● full  ◐ differential  ○ incremental · tinted: its point still exists on the chosen day"),
            self,
        )
        self.legend.setProperty("role", "secondary")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(style.SPACE_XS)
        for widget in (self.summary, self.grid, self.legend):
            layout.addWidget(widget)
        self.grid.setAccessibleName(self.tr("Retention preview"))

    def show_days(self, days: Sequence[PreviewedDay]) -> None:
        """Show a preview; the last day is chosen, on which retention has done most."""
        before = self.grid.chosen if len(self.grid.days) == len(days) else len(days) - 1
        self.grid.days = tuple(days)
        self.grid.chosen = max(0, before)
        self.grid.update()
        self.describe_chosen()

    def choose(self, place: int) -> None:
        """Choose a day by its place."""
        self.grid.chosen = place
        self.grid.update()
        self.describe_chosen()

    def describe_chosen(self) -> None:
        """Say what will exist on the chosen day."""
        if not self.grid.days:
            self.summary.setText("")
            return
        chosen = self.grid.days[self.grid.chosen]
        if not chosen.points:
            text = self.tr("On {day} there is no restore point yet.").format(day=chosen.day.isoformat())
        else:
            oldest = min(point.created_at for point in chosen.points)
            text = self.tr("Restore points on {day}: {count}, the oldest of {oldest}.").format(
                day=chosen.day.isoformat(), count=len(chosen.points), oldest=f"{oldest.astimezone():%Y-%m-%d}"
            )
        self.summary.setText(text)
        self.grid.setAccessibleDescription(text)

    def describe(self, day: PreviewedDay) -> str:
        """Return what happens on a day."""
        parts = [day.day.isoformat()]
        parts += [f"{_clock(at)} {backup_kind_word(kind)}" for at, kind in day.runs]
        if day.removed_count:
            parts.append(
                self.tr("Points removed: {count}; their space becomes free seven days later").format(
                    count=day.removed_count
                )
            )
        return lines(parts)


def strongest(kinds: set[BackupKind]) -> BackupKind:
    """Return the most complete kind."""
    order = (BackupKind.FULL, BackupKind.DIFFERENTIAL, BackupKind.INCREMENTAL)
    return next(kind for kind in order if kind in kinds)


def paint_kind(painter: QPainter, center: QPointF, kind: BackupKind, color: QColor) -> None:
    """Draw the mark of a kind: a full disc, a half one, a ring."""
    radius = style.SPACE_XS - 0.5
    box = QRectF(center.x() - radius, center.y() - radius, 2 * radius, 2 * radius)
    painter.setPen(QPen(color, 1.2))
    painter.setBrush(color if kind is BackupKind.FULL else Qt.BrushStyle.NoBrush)
    painter.drawEllipse(box)
    if kind is BackupKind.DIFFERENTIAL:
        painter.setBrush(color)
        painter.drawPie(box, 90 * 16, 180 * 16)


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _clock(at: datetime) -> str:
    return f"{at.astimezone():%H:%M}"
