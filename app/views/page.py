"""What every page is: a title, a place in the address, a tool bar, and a refresh."""

from dataclasses import dataclass
from typing import ClassVar

from PySide6.QtCore import Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.views.console import Console
from app.views.frame.freshness import Watch
from app.views.frame.history import Address
from app.views.icons import Glyph
from app.views.widgets.banner import MessageOverlay
from app.views.widgets.question import Question
from app.views.widgets.toolbar import ToolBar


@dataclass(frozen=True, slots=True)
class Crumb:
    """One step of the breadcrumb; ``address`` is None for the step the operator is on."""

    text: str
    address: Address | None = None


class Page(QWidget):
    """A page of the console. Subclasses fill ``self.body`` and ``self.toolbar``. Thread: GUI.

    Attributes:
        key: Stable name, the first part of its address.
        glyph: Its icon in the navigation.
        messages: Shows messages over the page, so that they move nothing.

    Signals:
        crumbs_changed: the page shows something else now.
    """

    watch: Watch | None = None
    """Tells what has changed while the page is seen; None where nothing that is shown changes by itself."""

    key: ClassVar[str]
    glyph: ClassVar[Glyph]

    crumbs_changed = Signal()

    def __init__(self, console: Console, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.console = console
        self._questions: list[Question] = []
        self.toolbar = ToolBar(console.theme, self)
        self.toolbar.refresh_wanted.connect(self.refresh)
        self.body = QVBoxLayout()
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.toolbar)
        layout.addLayout(self.body, 1)
        self.messages = MessageOverlay(self)

    def title(self) -> str:
        """Return the page's name in the navigation."""
        raise NotImplementedError

    def crumbs(self) -> tuple[Crumb, ...]:
        """Return the breadcrumb of what is shown now."""
        return (Crumb(self.title()),)

    def open(self, path: tuple[str, ...]) -> None:  # noqa: ARG002 - for pages that have parts
        """Show the part of the page that an address names, and load it."""
        self.refresh()

    def refresh(self) -> None:
        """Load again what is shown."""

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what has changed while the page was not seen."""
        super().showEvent(event)
        if self.watch is not None:
            self.watch.see()

    def make_question(self) -> Question:
        """Return a question of the page; it is withdrawn when the page is left, and :meth:`open` asks it again."""
        question = Question(self.console.door, self)
        self._questions.append(question)
        return question

    def leave(self) -> None:
        """Withdraw what the page has asked, and ask nothing while another page is shown."""
        if self.watch is not None:
            self.watch.end()
        for question in self._questions:
            question.withdraw()

    def help_text(self) -> str:
        """Return what F1 shows: what the page is for and what can be done there."""
        return ""
