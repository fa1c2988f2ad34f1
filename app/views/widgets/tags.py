"""Chosen things as tags that wrap, each with a cross that removes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLayout,
    QLayoutItem,
    QScrollArea,
    QToolButton,
    QWidget,
)

from app.views import style
from app.views.console import ThemeSwitch
from app.views.icons import Glyph, icon
from app.views.widgets.plain import Label, set_tip

_MOST = 200
"""So many tags are drawn; more are not read, and each is a widget."""


class FlowLayout(QLayout):
    """Lays widgets out in lines, as words in a text."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(style.SPACE_XS)

    def addItem(self, item: QLayoutItem, /) -> None:
        """Append an item."""
        self._items.append(item)

    def count(self) -> int:
        """Return the number of items."""
        return len(self._items)

    def itemAt(self, index: int, /) -> QLayoutItem | None:
        """Return an item, None behind the last."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int, /) -> QLayoutItem:
        """Take an item out; None behind the last, which the stubs of PySide6 6.9 leave out."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None  # type: ignore[return-value]

    def hasHeightForWidth(self) -> bool:
        """Return that a narrower box is higher."""
        return True

    def heightForWidth(self, width: int, /) -> int:
        """Return the height that this width needs."""
        return self._place(QRect(0, 0, width, 0), move=False)

    def setGeometry(self, rect: QRect, /) -> None:
        """Place the items."""
        super().setGeometry(rect)
        self._place(rect, move=True)

    def sizeHint(self) -> QSize:
        """Return the smallest size."""
        return self.minimumSize()

    def minimumSize(self) -> QSize:
        """Return the size of the largest item."""
        size = QSize()
        for item in self._items:
            size = size.expandedTo(item.minimumSize())
        return size

    def _place(self, rect: QRect, *, move: bool) -> int:
        margins = self.contentsMargins()
        rect = rect.marginsRemoved(margins)
        left, top, line_height = rect.left(), rect.top(), 0
        for item in self._items:
            size = item.sizeHint().boundedTo(QSize(max(1, rect.width()), item.sizeHint().height()))
            if left + size.width() > rect.right() + 1 and left > rect.left():
                left, top, line_height = rect.left(), top + line_height + self.spacing(), 0
            if move:
                item.setGeometry(QRect(QPoint(left, top), size))
            left += size.width() + self.spacing()
            line_height = max(line_height, size.height())
        return top + line_height - rect.top() + margins.top() + margins.bottom()


@dataclass(frozen=True, slots=True)
class Tag:
    """One chosen thing: its key, its name, and a secondary text behind the name."""

    key: str
    text: str
    detail: str = ""


class _TagChip(QFrame):
    """One tag. Emits ``removed`` with its key."""

    removed = Signal(str)

    def __init__(self, tag: Tag, theme: ThemeSwitch, *, removable: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "tag")
        self._key = tag.key
        name = Label(tag.text, self)
        row = QHBoxLayout(self)
        row.setContentsMargins(style.SPACE_S, 0, 0 if removable else style.SPACE_S, 0)
        row.setSpacing(style.SPACE_XS)
        row.addWidget(name)
        if tag.detail:
            detail = Label(tag.detail, self)
            detail.setProperty("role", "secondary")
            row.addWidget(detail)
        if removable:
            cross = QToolButton(self)
            cross.setProperty("role", "cross")
            cross.setIcon(icon(Glyph.CLOSE, theme.colors))
            set_tip(cross, self.tr("Remove {name}").format(name=tag.text))
            cross.setAccessibleName(self.tr("Remove {name}").format(name=tag.text))
            cross.clicked.connect(self._on_cross)
            row.addWidget(cross)

    def _on_cross(self) -> None:
        self.removed.emit(self._key)


class TagBox(QScrollArea):
    """A box of tags that scrolls when there are many. Thread: GUI.

    Signals:
        removed: the operator took a tag out; carries its key.
    """

    removed = Signal(str)

    def __init__(self, theme: ThemeSwitch, hint: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._tags: tuple[Tag, ...] = ()
        self._removable = True
        self.setObjectName("tags")
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._hint = hint
        self._fill()

    @property
    def tags(self) -> tuple[Tag, ...]:
        """Return the tags that are shown."""
        return self._tags

    def set_tags(self, tags: Sequence[Tag]) -> None:
        """Show other tags."""
        if tuple(tags) != self._tags:
            self._tags = tuple(tags)
            self._fill()

    def set_removable(self, *, removable: bool) -> None:
        """Let tags be taken out, or only looked at."""
        if removable != self._removable:
            self._removable = removable
            self._fill()

    def _fill(self) -> None:
        area = QWidget(self)
        area.setObjectName("tagArea")
        flow = FlowLayout(area)
        flow.setContentsMargins(style.SPACE_XS, style.SPACE_XS, style.SPACE_XS, style.SPACE_XS)
        if not self._tags:
            hint = Label(self._hint, area)
            hint.setProperty("role", "secondary")
            hint.setContentsMargins(style.SPACE_XS, style.SPACE_XS, 0, 0)
            flow.addWidget(hint)
        for tag in self._tags[:_MOST]:
            chip = _TagChip(tag, self._theme, removable=self._removable, parent=area)
            chip.removed.connect(self.removed)
            flow.addWidget(chip)
        if len(self._tags) > _MOST:
            more = Label(self.tr("and {count} more").format(count=len(self._tags) - _MOST), area)
            more.setProperty("role", "secondary")
            flow.addWidget(more)
        self.setWidget(area)
