"""The window with everything around it: status bar, tray, search, help; rebuilt when the language changes."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QAbstractItemView, QMessageBox, QSystemTrayIcon, QToolButton

from app.contract.overview import EngineStatus
from app.domain.engine_events import EngineFound, ProgramEndAsked, WindowRaiseAsked
from app.domain.states import TaskState
from app.domain.units import filled
from app.views.console import Console
from app.views.frame.brand import program_icon
from app.views.frame.history import Address
from app.views.frame.main_window import MainWindow
from app.views.frame.search import PageHit, SearchPalette
from app.views.frame.session import SessionEnd, hold_session, release_session
from app.views.frame.status import StatusFeed, StatusItems
from app.views.frame.tray import Tray
from app.views.frame.trouble import TroubleReporter
from app.views.icons import Glyph
from app.views.page import Page
from app.views.translation import LanguageSwitch
from app.views.widgets.pill import Pill, PillDelegate
from app.views.widgets.plain import message_box, set_tip
from app.views.words import state_pill

MakePages = Callable[[Console], Sequence[Page]]


class Shell(QObject):
    """Builds the window with its tray, search and status bar, and ends them. Thread: GUI.

    Signals:
        ended: the operator ended the program; the window is closed.
    """

    ended = Signal()

    def __init__(
        self,
        console: Console,
        languages: LanguageSwitch,
        make_pages: MakePages,
        *,
        trouble: TroubleReporter | None = None,
        has_tray: bool | None = None,
        engine_ends_too: bool = True,
    ) -> None:
        """Build the window; it is not shown yet.

        Args:
            console: what every page is given.
            languages: the language in use.
            make_pages: builds the pages, in the order of the navigation; called again for another language.
            trouble: shows mistakes of ours over the window.
            has_tray: whether there is a tray to live on in; None asks the system.
            engine_ends_too: whether quitting stops running tasks; not so with an engine that runs as a service.
        """
        super().__init__(console)
        self.console = console
        self._languages = languages
        self._make_pages = make_pages
        self._trouble = trouble
        self._has_tray = QSystemTrayIcon.isSystemTrayAvailable() if has_tray is None else has_tray
        self._engine_ends_too = engine_ends_too
        self._is_ending = False
        self._question: QMessageBox | None = None
        self.session = SessionEnd(self)
        self.session.coming.connect(self._on_session_ends)
        self.session.called_off.connect(self._on_session_goes_on)
        self.feed = StatusFeed(console, self)
        self.feed.lost.connect(self._on_engine_lost)
        self.feed.answered.connect(self._on_engine_answered)
        self.tray: Tray | None = None
        self.window = self._build()
        languages.changed.connect(self._on_language_changed)
        console.door.events.connect(self._on_events)
        self.feed.start()

    # --- construction -----------------------------------------------------------------------------------------

    def _build(self) -> MainWindow:
        window = MainWindow(self.console, self._make_pages(self.console))
        window.setWindowIcon(program_icon())
        window.close_wanted.connect(self._on_close_wanted)
        self.items = StatusItems(self.console, self.feed, window.status, window)
        hits = [PageHit(page.title(), page.glyph, Address(page.key)) for page in window.pages()]
        self.palette = SearchPalette(self.console, hits, window)
        self._add_search_button(window)
        for keys, slot in (("Ctrl+K", self.open_search), ("Ctrl+Q", self.quit)):
            QShortcut(QKeySequence(keys), window).activated.connect(slot)
        if self._has_tray:
            self._build_tray()
            window.keep_open()
        if self._trouble is not None:
            self._trouble.belong_to(window)
        return window

    def _build_tray(self) -> None:
        if self.tray is not None:
            self.tray.dismiss()
            self.tray.deleteLater()
        self.tray = Tray(self.console, self.feed, self)
        self.tray.open_wanted.connect(self.raise_window)
        self.tray.quit_wanted.connect(self.quit)
        self.tray.show()

    def _add_search_button(self, window: MainWindow) -> None:
        button = QToolButton(window)
        button.setObjectName("search")
        button.setText(self.tr("Search   Ctrl+K"))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setAccessibleName(self.tr("Search"))
        set_tip(button, self.tr("Search rules, VMs, restore points and tasks (Ctrl+K)"))
        button.clicked.connect(self.open_search)
        window.add_tool(button, Glyph.FILTER)

    # --- the window -------------------------------------------------------------------------------------------

    def show(self, *, minimized: bool = False) -> None:
        """Show the window; minimized into the tray where there is one, else onto the task bar."""
        if not minimized:
            self.window.show()
        elif self.tray is None:
            self.window.showMinimized()

    def raise_window(self) -> None:
        """Bring the window to the front."""
        window = self.window
        window.setWindowState(window.windowState() & ~Qt.WindowState.WindowMinimized)
        window.show()
        window.raise_()
        window.activateWindow()

    def open_search(self) -> None:
        """Open the search over everything."""
        self.palette.open_over(self.window)

    def _on_events(self, events: tuple[object, ...]) -> None:
        if any(isinstance(event, WindowRaiseAsked) for event in events):
            self.raise_window()
        if any(isinstance(event, ProgramEndAsked) for event in events):
            self.end_at_once()
            return
        if any(isinstance(event, EngineFound) for event in events):
            self.window.refresh()

    def _on_engine_lost(self) -> None:
        self._draw_unknown(state_pill(TaskState.UNKNOWN))

    def _on_engine_answered(self) -> None:
        self._draw_unknown(None)

    def _draw_unknown(self, pill: Pill | None) -> None:
        """Draw this in the place of every running state; None draws them as they are."""
        if PillDelegate.unknown == pill:
            return
        PillDelegate.unknown = pill
        for view in self.window.findChildren(QAbstractItemView):
            view.viewport().update()

    def _on_language_changed(self) -> None:
        old = self.window
        address, was_shown, geometry = old.address, old.isVisible(), old.saveGeometry()
        self.console.address_wanted.disconnect(old.visit)
        old.close_wanted.disconnect(self._on_close_wanted)
        self.window = self._build()
        self.window.restoreGeometry(geometry)
        self.window.visit(address)
        if was_shown:
            self.window.show()
        old.dismiss()

    # --- leaving ----------------------------------------------------------------------------------------------

    def quit(self) -> None:
        """End the program; asks first when tasks run, or VMs from restore points."""
        if self._is_ending or self._question is not None:
            return
        status = self.feed.latest
        asks = status is not None and (status.running or status.instant)
        if status is None or not asks or not self._engine_ends_too or self.session.is_coming:
            self._end()
            return
        self._ask_whether_to_quit(status)

    def _ask_whether_to_quit(self, status: EngineStatus) -> None:
        texts, words = [], []
        if status.running:
            texts.append(filled(self.tr("{count} {count:task is/tasks are} running."), {"count": status.running}))
            words.append(
                self.tr(
                    "Quitting stops them: what they have not finished is cleaned up, and a later run starts over."
                )
            )
        if status.instant:
            text = self.tr("{count} {count:VM runs/VMs run} from restore points at this machine.")
            texts.append(filled(text, {"count": status.instant}))
            words.append(
                self.tr(
                    "Such VMs go on while this machine is on and awake, but nothing watches over them: they can "
                    "neither be moved nor stopped until the program is started again."
                )
            )
        if self._has_tray:
            words.append(self.tr("Closing the window instead lets them go on."))
        box = message_box(
            QMessageBox.Icon.Question,
            self.tr("Quit Standfast"),
            " ".join(texts),
            " ".join(words),
            parent=self.window,
        )
        label = self.tr("Stop the tasks and quit") if status.running else self.tr("Quit")
        stop = box.addButton(label, QMessageBox.ButtonRole.DestructiveRole)
        stay = box.addButton(self.tr("Go on"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stay)
        box.setEscapeButton(stay)
        stop.clicked.connect(self._end)
        box.finished.connect(self._on_answered)
        self._question = box
        if not self.window.isVisible():
            self.raise_window()
        box.open()

    def end_at_once(self) -> None:
        """End the program in order without a question: the system wants it."""
        if not self._is_ending:
            self._end()

    def _on_session_ends(self) -> None:
        """Save what outlasts the session, take back a question, and say what needs a moment."""
        self.console.memory.save_geometry("main", self.window)
        if self._question is not None:
            self._question.reject()
        status = self.feed.latest
        if status is not None and status.running and self._engine_ends_too:
            text = self.tr("{count} {count:task is/tasks are} being stopped and cleaned up.")
            hold_session(self.window, filled(text, {"count": status.running}))

    def _on_session_goes_on(self) -> None:
        release_session(self.window)

    @property
    def question(self) -> QMessageBox | None:
        """Return the question whether to quit, while it is open."""
        return self._question

    def _on_answered(self) -> None:
        if self._question is not None:
            self._question.deleteLater()
        self._question = None

    def _on_close_wanted(self) -> None:
        if self._has_tray and not self._is_ending:
            return  # the window is only hidden; the program lives on in the tray
        self.quit()

    def dismiss(self) -> None:
        """Put the window and the tray away for good, whatever ended the program."""
        self._is_ending = True
        self._languages.changed.disconnect(self._on_language_changed)
        self.feed.stop()
        PillDelegate.unknown = None
        if self.tray is not None:
            self.tray.dismiss()
            self.tray = None
        if self._trouble is not None:
            self._trouble.belong_to(None)
        self.window.dismiss()

    def _end(self) -> None:
        self._is_ending = True
        if self.tray is not None:
            self.tray.hide()
        self.window.let_close()
        self.ended.emit()
