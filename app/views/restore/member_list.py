"""The card of VMs that are brought back together: one below the other, or a line that says why there is none."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from app.views import style
from app.views.widgets.plain import Label
from app.views.widgets.scrolled import scroll_inside

Member = TypeVar("Member", bound=QWidget)


class MemberList(QFrame, Generic[Member]):
    """Holds one row for each VM, and scrolls. Thread: GUI."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._members: list[Member] = []
        self.ground = QWidget(self)
        self._column = QVBoxLayout(self.ground)
        self._column.setContentsMargins(0, style.SPACE_XS, 0, style.SPACE_XS)
        self._column.setSpacing(0)
        self._note = Label(self.ground)
        self._note.setProperty("role", "secondary")
        self._note.setContentsMargins(style.SPACE_M, style.SPACE_M, style.SPACE_M, style.SPACE_M)
        self._column.addWidget(self._note)
        self._column.addStretch(1)
        scroll_inside(self, self.ground, margin=1)

    @property
    def members(self) -> Sequence[Member]:
        """Return the rows, top to bottom."""
        return tuple(self._members)

    def add(self, member: Member) -> None:
        """Add a row at the end; its parent is ``ground``."""
        self._column.insertWidget(len(self._members), member)
        self._members.append(member)

    def remove(self, member: Member) -> None:
        """Take a row out and destroy it."""
        self._members.remove(member)
        self._column.removeWidget(member)
        member.hide()
        member.deleteLater()

    def shift(self, member: Member, steps: int) -> None:
        """Move a row up (-1) or down (1); at its end it stays."""
        place = self._members.index(member)
        to = min(max(0, place + steps), len(self._members) - 1)
        self._members.insert(to, self._members.pop(place))
        self._column.removeWidget(member)
        self._column.insertWidget(to, member)

    def clear(self) -> None:
        """Take all rows out."""
        for member in self.members:
            self.remove(member)

    def show_note(self, text: str) -> None:
        """Say something in their place; nothing where the text is empty."""
        self._note.setText(text)
        self._note.setVisible(bool(text))
