"""The overview's cards."""

from datetime import UTC, datetime

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.contract.overview import Overview
from app.contract.program import ConfirmClock
from app.contract.statistics import Traffic
from app.domain.concerns import ConcernKind
from app.domain.units import filled
from app.views import formatting, style
from app.views.backup.traffic import with_gaps
from app.views.charts.ring import Ring, Share
from app.views.charts.traffic import TrafficChart
from app.views.console import Console
from app.views.frame.history import Address
from app.views.frame.places import BACKUP, FAILED_TASKS, NEW_RULE, PROOFS, STANDBYS, TASKS
from app.views.icons import Glyph, icon
from app.views.overview import words
from app.views.widgets.banner import Banner
from app.views.widgets.entries import Card, Entry, EntryList
from app.views.widgets.plain import Label, set_tip
from app.workers.answers import Failure

_MOST_ENTRIES = 6


class Dashboard(QScrollArea):
    """Shows an :class:`Overview`. Thread: GUI.

    Attributes:
        banner: Tells what was refused; the page shows it.
    """

    def __init__(self, console: Console, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._console = console
        self._glyph, self._color = Glyph.INFO, "active"
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._ground = QWidget(self)
        self.setWidget(self._ground)
        self.banner = Banner(self)
        self._build()
        self._on_theme_changed()
        console.theme.changed.connect(self._on_theme_changed)

    # --- construction -----------------------------------------------------------------------------------------

    def _build(self) -> None:
        grid = QGridLayout(self._ground)
        grid.setContentsMargins(style.SPACE_L, style.SPACE_L, style.SPACE_L, style.SPACE_L)
        grid.setSpacing(style.SPACE_M)
        for column in range(3):
            grid.setColumnStretch(column, 1)
        grid.addWidget(self._build_verdict(), 0, 0, 1, 3)
        for column, card in enumerate(self._build_figures()):
            grid.addWidget(card, 1, column)
        self.attention, attention = self._list_card(
            self.tr("Needs attention"), self.tr("Failed tasks"), address=FAILED_TASKS
        )
        self.running, running = self._list_card(self.tr("Running now"), self.tr("All tasks"), address=TASKS)
        self.next_runs, next_runs = self._list_card(self.tr("Next runs"), self.tr("Backup rules"), address=BACKUP)
        left = QVBoxLayout()
        left.setSpacing(style.SPACE_M)
        left.addWidget(attention)
        left.addWidget(running)
        left.addStretch(1)
        right = QVBoxLayout()
        right.setSpacing(style.SPACE_M)
        right.addWidget(next_runs, 1)
        grid.addLayout(left, 2, 0, 1, 2)
        grid.addLayout(right, 2, 2)
        grid.addWidget(self._build_traffic(), 3, 0, 1, 3)
        grid.setRowStretch(3, 1)

    def _build_verdict(self) -> QWidget:
        card = QFrame(self._ground)
        card.setProperty("role", "card")
        self._picture = Label(card)
        self._sentence = Label(card)
        self._sentence.setProperty("role", "verdict")
        self._detail = Label(card)
        self._detail.setProperty("role", "secondary")
        self._detail.setWordWrap(True)
        self._next_step = QPushButton(self.tr("Create a backup rule"), card)
        self._next_step.setProperty("role", "primary")
        self._next_step.clicked.connect(self._on_next_step)
        self.confirm_clock = QPushButton(self.tr("The clock is right"), card)
        set_tip(self.confirm_clock, self.tr("Expired restore points are removed again after the next runs"))
        self.confirm_clock.clicked.connect(self._on_confirm_clock)
        self.confirm_clock.hide()
        texts = QVBoxLayout()
        texts.setSpacing(style.SPACE_XS)
        texts.addWidget(self._sentence)
        texts.addWidget(self._detail)
        row = QHBoxLayout(card)
        row.setContentsMargins(style.SPACE_L, style.SPACE_M, style.SPACE_L, style.SPACE_M)
        row.setSpacing(style.SPACE_L)
        row.addWidget(self._picture)
        row.addLayout(texts, 1)
        row.addWidget(self.confirm_clock)
        row.addWidget(self._next_step)
        return card

    def _build_figures(self) -> tuple[Card, Card, Card]:
        protection = Card(
            self._console, self.tr("Protection"), link=self.tr("Proofs"), address=PROOFS, parent=self._ground
        )
        self.protection = self._ring(protection)
        self.proven = Label(protection)
        self.proven.setProperty("role", "secondary")
        self.proven.setWordWrap(True)
        self.proven.setContentsMargins(style.SPACE_S, 0, style.SPACE_S, 0)
        protection.body.addWidget(self.proven)
        week = Card(self._console, self.tr("Last seven days"), parent=self._ground)
        self.week = self._ring(week)
        room = Card(
            self._console, self.tr("Room"), link=self.tr("Standbys"), address=STANDBYS, parent=self._ground
        )
        self.standbys = EntryList(self._console, room)
        room.body.addWidget(self.standbys)
        room.body.addStretch(1)
        return protection, week, room

    def _ring(self, card: Card) -> Ring:
        ring = Ring(self._console.theme, card)
        ring.setMinimumSize(style.RING_WIDTH, style.RING_HEIGHT)
        ring.setMaximumHeight(style.RING_HEIGHT)
        card.body.addWidget(ring, 1)
        card.body.addStretch(1)
        return ring

    def _build_traffic(self) -> Card:
        card = Card(self._console, self.tr("Traffic of the last ten minutes"), parent=self._ground)
        self.traffic = TrafficChart(self._console.theme, card)
        self.traffic.setMinimumHeight(style.CHART_HEIGHT)
        card.body.addWidget(self.traffic, 1)
        return card

    def _list_card(self, title: str, link: str, *, address: Address) -> tuple[EntryList, Card]:
        card = Card(self._console, title, link=link, address=address, parent=self._ground)
        entries = EntryList(self._console, card)
        card.body.addWidget(entries)
        card.body.addStretch(1)
        return entries, card

    # --- content ----------------------------------------------------------------------------------------------

    @property
    def sentence(self) -> str:
        """Return the answer to "are we safe?"."""
        return self._sentence.text()

    def show_overview(self, overview: Overview) -> None:
        """Show what the engine answered."""
        self._show_verdict(overview)
        self._show_rings(overview)
        now = datetime.now(UTC)
        self.standbys.show_entries(
            [words.standby_entry(standby) for standby in overview.standbys[:3]] or [self._no_standby()]
        )
        failures = [words.failure_entry(failure, now) for failure in overview.failures[:_MOST_ENTRIES]]
        overdue = [words.overdue_entry(vm, now) for vm in overview.overdue[:_MOST_ENTRIES]]
        listed = (ConcernKind.FAILED, ConcernKind.OVERDUE)
        others = [words.concern_entry(concern) for concern in overview.concerns() if concern.kind not in listed]
        # Each kind keeps some lines, however many VMs failed.
        room = max(_MOST_ENTRIES - len(others), _MOST_ENTRIES // 2)
        first = [*failures, *overdue][:room]
        doubts = [words.clock_entry(doubt) for doubt in overview.clock_doubts]
        self.attention.show_entries([*doubts, *first, *others][: _MOST_ENTRIES * 2] or [self._no_trouble()])
        self.show_running(overview)
        coming = [words.next_run_entry(at, name, now) for at, name in overview.next_runs]
        self.next_runs.show_entries(coming or [self._nothing_planned()])

    def show_running(self, overview: Overview) -> None:
        """Show how far everything is that runs."""
        running = [words.running_entry(task) for task in overview.running[:_MOST_ENTRIES]]
        self.running.show_entries(running or [self._nothing_runs(overview.pending)])

    def show_unknown(self, failure: Failure) -> None:
        """Take back that all is well: while the engine does not answer, that is unknown."""
        self._glyph, self._color, sentence, detail = words.unknown(failure)
        self._sentence.setText(sentence)
        self._detail.setText(detail)
        self._next_step.hide()
        self.confirm_clock.hide()
        self._on_theme_changed()

    def show_traffic(self, traffic: Traffic) -> None:
        """Show the traffic of everything."""
        samples = with_gaps(traffic.points, traffic.slice_s, traffic.end)
        self.traffic.show_samples(samples, traffic.start, traffic.end)

    def _show_verdict(self, overview: Overview) -> None:
        glyph, color, sentence, detail = words.verdict(overview)
        self._sentence.setText(sentence)
        self._detail.setText(detail)
        self._next_step.setVisible(not overview.protected_vms)
        self.confirm_clock.setVisible(bool(overview.clock_doubts))
        if (glyph, color) != (self._glyph, self._color):
            self._glyph, self._color = glyph, color
            self._on_theme_changed()

    def _show_rings(self, overview: Overview) -> None:
        protected, known = overview.protected_vms, overview.known_vms
        shares = [Share(self.tr("Protected"), protected, formatting.count(protected), "completed")]
        if known is None:
            figure, caption = formatting.count(protected), self.tr("protected")
        else:
            bare = max(0, known - protected)
            shares.append(Share(self.tr("Unprotected"), bare, formatting.count(bare), "pending"))
            figure = f"{protected / known * 100:.0f}%" if known else formatting.NOTHING
            caption = filled(self.tr("of {count} {count:VM/VMs}"), {"count": formatting.count(known)})
        self.protection.show_shares(shares, figure, caption)
        self.proven.setText(words.proven_line(overview))
        self.proven.setVisible(bool(overview.proven_vms or overview.unproven_count))
        good, bad = overview.succeeded_7d, overview.failed_7d
        rate = f"{good / (good + bad) * 100:.0f}%" if good + bad else formatting.NOTHING
        self.week.show_shares(
            (
                Share(self.tr("Succeeded"), good, formatting.count(good), "completed"),
                Share(self.tr("Failed"), bad, formatting.count(bad), "failed"),
            ),
            rate,
            self.tr("success") if good + bad else self.tr("no runs yet"),
        )

    def _no_standby(self) -> Entry:
        return Entry(
            glyph=Glyph.ADD,
            color="accent",
            title=self.tr("Register a standby machine"),
            detail=self.tr("Backup data is kept there"),
            address=STANDBYS,
        )

    def _no_trouble(self) -> Entry:
        return Entry(
            glyph=Glyph.SUCCESS,
            color="completed",
            title=self.tr("Nothing needs attention"),
            detail=self.tr(
                "Failed runs, overdue restore points and proofs, unprotected and stopped VMs appear here"
            ),
        )

    def _nothing_runs(self, pending: int) -> Entry:
        detail = (
            filled(self.tr("{count} {count:task is/tasks are} pending"), {"count": pending}) if pending else ""
        )
        return Entry(
            glyph=Glyph.TASKS,
            color="secondary",
            title=self.tr("No task runs right now"),
            detail=detail or self.tr("Speed and time left of running tasks appear here"),
            address=TASKS,
        )

    def _nothing_planned(self) -> Entry:
        return Entry(
            glyph=Glyph.CALENDAR,
            color="secondary",
            title=self.tr("No run is planned"),
            detail=self.tr("Start a rule with a periodic policy"),
            address=BACKUP,
        )

    # --- slots ------------------------------------------------------------------------------------------------

    def _on_confirm_clock(self) -> None:
        self.confirm_clock.setEnabled(False)
        self.banner.hide()
        self._console.door.execute(
            ConfirmClock(), owner=self, on_done=self._on_clock_answered, on_failed=self._on_clock_refused
        )

    def _on_clock_answered(self, _answer: object) -> None:
        self.confirm_clock.setEnabled(True)

    def _on_clock_refused(self, failure: Failure) -> None:
        self.confirm_clock.setEnabled(True)
        self.banner.show_failure(failure)

    def _on_next_step(self) -> None:
        self._console.go(NEW_RULE.page, *NEW_RULE.path)

    def _on_theme_changed(self) -> None:
        colors = self._console.colors
        pixmap = icon(self._glyph, colors, getattr(colors, self._color)).pixmap(style.ICON_LARGE, style.ICON_LARGE)
        self._picture.setPixmap(pixmap)
