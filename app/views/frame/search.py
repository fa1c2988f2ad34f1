"""Search over everything (Ctrl+K): rules, VMs, restore points, tasks, and the pages themselves."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from app.contract.overview import HitKind, Search, SearchHit
from app.domain.display import lines
from app.views import style
from app.views.console import Console
from app.views.frame.history import Address
from app.views.frame.places import point_place, rule_place, task_place
from app.views.icons import Glyph, icon
from app.views.widgets.pause import Pause
from app.views.widgets.plain import Label, set_title
from app.views.widgets.question import Question
from app.workers.answers import Failure

_TYPING_PAUSE_MS = 100
_GLYPHS = {
    HitKind.RULE: Glyph.BACKUP,
    HitKind.VM: Glyph.VM,
    HitKind.POINT: Glyph.POINT,
    HitKind.TASK: Glyph.TASKS,
}
_MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


@dataclass(frozen=True, slots=True)
class PageHit:
    """A page of the console among the results."""

    title: str
    glyph: Glyph
    address: Address


@dataclass(frozen=True, slots=True)
class _Line:
    title: str
    detail: str
    glyph: Glyph
    address: Address


class SearchPalette(QDialog):
    """Finds rules, VMs, restore points, tasks and pages by typing. Thread: GUI."""

    def __init__(self, console: Console, pages: Sequence[PageHit], parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self._console = console
        self._pages = tuple(pages)
        self._question = Question(console.door, self)
        self.setObjectName("palette")
        set_title(self, self.tr("Search"))
        self.setFixedSize(style.PALETTE_WIDTH, style.PALETTE_HEIGHT)
        self.field = QLineEdit(self)
        self.field.setPlaceholderText(self.tr("Search rules, VMs, restore points, tasks, pages…"))
        self.field.setAccessibleName(self.tr("Search"))
        self.field.setClearButtonEnabled(True)
        self.field.installEventFilter(self)
        self.list = QListWidget(self)
        self.list.setAccessibleName(self.tr("What was found"))
        self.list.setIconSize(QSize(style.ICON_ENTRY, style.ICON_ENTRY))
        self.list.setUniformItemSizes(True)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.itemClicked.connect(self._on_chosen)
        self._note = Label(self)
        self._note.setProperty("role", "secondary")
        self._note.setContentsMargins(style.SPACE_M, 0, style.SPACE_M, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(style.SPACE_S, style.SPACE_S, style.SPACE_S, style.SPACE_S)
        layout.setSpacing(style.SPACE_S)
        layout.addWidget(self.field)
        layout.addWidget(self.list, 1)
        layout.addWidget(self._note)
        self._typing = Pause(_TYPING_PAUSE_MS, self)
        self._typing.timeout.connect(self._on_typing_paused)
        self.field.textChanged.connect(self._typing.restart)

    def open_over(self, window: QWidget) -> None:
        """Open near the top of a window, empty."""
        self._question.withdraw()
        self.field.clear()
        self._show_lines((), ())
        left = (window.width() - self.width()) // 2
        self.move(window.mapToGlobal(QPoint(left, style.CONTROL_HEIGHT * 2)))
        self.show()
        self.activateWindow()
        self.field.setFocus()

    # --- finding ----------------------------------------------------------------------------------------------

    def _on_typing_paused(self) -> None:
        text = self.field.text().strip()
        words = text.casefold().split()
        if not text:
            self._question.withdraw()
            self._show_lines((), ())
            return

        def show(hits: tuple[SearchHit, ...]) -> None:
            self._show_lines(hits, words)

        def show_pages_only(_failure: Failure) -> None:
            self._show_lines((), words)

        self._question.ask_instead(Search(text=text), show, show_pages_only)

    def _show_lines(self, hits: Sequence[SearchHit], words: Sequence[str]) -> None:
        pages = [hit for hit in self._pages if all(word in hit.title.casefold() for word in words)]
        found = [_Line(hit.title, hit.detail, _GLYPHS[hit.kind], place_of(hit)) for hit in hits]
        found += [_Line(hit.title, self.tr("Page"), hit.glyph, hit.address) for hit in pages]
        self.list.clear()
        colors = self._console.colors
        for line in found:
            text = lines((line.title, line.detail) if line.detail else (line.title,))
            item = QListWidgetItem(icon(line.glyph, colors), text, self.list)
            item.setData(Qt.ItemDataRole.UserRole, line.address)
            item.setSizeHint(QSize(0, style.ENTRY_HEIGHT))
        self.list.setCurrentRow(0)
        if found:
            self._note.setText(self.tr("↑ ↓ choose · Enter opens · Esc closes"))
        else:
            self._note.setText(self.tr("Nothing has all of these words in its name."))

    # --- choosing ---------------------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let arrows and Enter in the field move and choose in the list."""
        if watched is self.field and event.type() is QEvent.Type.KeyPress:
            assert isinstance(event, QKeyEvent)
            if event.key() in _MOVES:
                self._move(event.key())
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                item = self.list.currentItem()
                if item is not None:
                    self._on_chosen(item)
                return True
        return super().eventFilter(watched, event)

    def _move(self, key: int) -> None:
        count = self.list.count()
        if not count:
            return
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_PageUp: -7, Qt.Key.Key_PageDown: 7}[Qt.Key(key)]
        row = self.list.currentRow() + step
        # Arrows go round, pages stop at the ends.
        self.list.setCurrentRow(row % count if abs(step) == 1 else min(count - 1, max(0, row)))

    def _on_chosen(self, item: QListWidgetItem) -> None:
        address = item.data(Qt.ItemDataRole.UserRole)
        assert isinstance(address, Address)
        self.close()
        self._console.go(address.page, *address.path)


def place_of(hit: SearchHit) -> Address:
    """Return where a hit is shown."""
    if hit.kind is HitKind.TASK and hit.task is not None:
        return task_place(hit.task)
    if hit.kind is HitKind.POINT and hit.point is not None:
        return point_place(hit.point)
    return rule_place(hit.rule, hit.vm) if hit.rule is not None else Address("backup")
