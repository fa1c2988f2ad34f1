"""A dialog with everything about one row of a list, followed while it is shown."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFrame, QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.contract.errors import ErrorRow
from app.domain.display import lines
from app.views import style
from app.views.widgets.banner import Banner
from app.views.widgets.clipboard import copy_plain
from app.views.widgets.dialog_help import offer_help
from app.views.widgets.elided import ElidedLabel
from app.views.widgets.form import grow_later
from app.views.widgets.pill import Pill, PillLabel
from app.views.widgets.plain import Label, set_title
from app.views.words import row_error_details, row_error_hint, row_error_message

_COLUMNS: Final = 2


class NamedRow(Protocol):
    """A row that can be shown so."""

    @property
    def id(self) -> str:
        """Its key."""
        ...

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def error(self) -> ErrorRow | None:
        """What is wrong with it."""
        ...


R = TypeVar("R", bound=NamedRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Generic[R]):
    """What is told of a row: pairs of captions and values, whose captions are the same for every row."""

    figures: Callable[[R], Iterator[tuple[str, str]]]
    facts: Callable[[R], Iterator[tuple[str, str]]]
    pill: Callable[[R], Pill]
    gone: str
    """When it is not in the list any more."""


class RowDetails(QDialog, Generic[R]):
    """Shows one row as its list has it, and follows the list. Thread: GUI."""

    def __init__(self, row: R, told: Told[R], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.row = row
        self._told = told
        self._values: dict[str, ElidedLabel] = {}
        self.setModal(True)
        set_title(self, row.name)
        self._build()
        offer_help(self)
        self._show(row)

    # --- construction -----------------------------------------------------------------------------------------

    def _build(self) -> None:
        heading = ElidedLabel(parent=self)
        heading.setText(self.row.name)
        heading.setProperty("role", "title")
        self.state = PillLabel(self)
        top = QHBoxLayout()
        top.addWidget(heading, 1)
        top.addWidget(self.state)
        self.banner = Banner(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(style.SPACE_XL, style.SPACE_XL, style.SPACE_XL, style.SPACE_L)
        layout.setSpacing(style.SPACE_M)
        layout.addLayout(top)
        layout.addWidget(self.banner)
        for texts in (self._told.figures(self.row), self._told.facts(self.row)):
            layout.addWidget(self._build_card(tuple(texts)))
        layout.addStretch(1)
        layout.addLayout(self._build_buttons())
        self.setMinimumWidth(style.DIALOG_WIDTH)

    def _build_card(self, texts: Sequence[tuple[str, str]]) -> QFrame:
        card = QFrame(self)
        card.setProperty("role", "card")
        grid = QGridLayout(card)
        grid.setContentsMargins(style.SPACE_L, style.SPACE_M, style.SPACE_L, style.SPACE_M)
        grid.setHorizontalSpacing(style.SPACE_XL)
        grid.setVerticalSpacing(style.SPACE_S)
        for place, (name, _) in enumerate(texts):
            caption = Label(name, card)
            caption.setProperty("role", "secondary")
            value = ElidedLabel(Qt.TextElideMode.ElideMiddle, card)
            value.setFont(style.tabular_font())
            self._values[name] = value
            cell = QVBoxLayout()
            cell.setSpacing(0)
            cell.addWidget(caption)
            cell.addWidget(value)
            grid.addLayout(cell, place // _COLUMNS, place % _COLUMNS)
        for column in range(_COLUMNS):
            grid.setColumnStretch(column, 1)
        return card

    def _build_buttons(self) -> QHBoxLayout:
        self._quiet = QHBoxLayout()
        self.copy = self.add_button(self.tr("Copy details"), self._on_copy)
        self.close_button = QPushButton(self.tr("Close"), self)
        self.close_button.setAutoDefault(False)
        self.close_button.clicked.connect(self.accept)
        self.close_button.setFocus()
        buttons = QHBoxLayout()
        buttons.addLayout(self._quiet)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        return buttons

    def add_button(self, text: str, run: Callable[[], None]) -> QPushButton:
        """Add a quiet button on the left, and return it."""
        button = QPushButton(text, self)
        button.setProperty("role", "quiet")
        button.setAutoDefault(False)
        button.clicked.connect(run)
        self._quiet.addWidget(button)
        return button

    @property
    def texts(self) -> dict[str, str]:
        """Return what is shown, by the captions."""
        return {name: value.text() for name, value in self._values.items()}

    # --- showing ----------------------------------------------------------------------------------------------

    def follow(self, rows: Sequence[R]) -> None:
        """Show the row as it is among new ones, or that it is not there any more."""
        row = next((row for row in rows if row.id == self.row.id), None)
        if row is not None:
            self._show(row)
        else:
            self.banner.show_text(self._told.gone)
            grow_later(self)

    def _show(self, row: R) -> None:
        self.row = row
        self.state.show_pill(self._told.pill(row))
        for name, value in self._lines():
            self._values[name].setText(value)
        if row.error is None:
            self.banner.hide()
        else:
            error = row.error
            self.banner.show_problem(row_error_message(error), row_error_hint(error), row_error_details(error))
            grow_later(self)

    def _lines(self) -> tuple[tuple[str, str], ...]:
        return (*self._told.figures(self.row), *self._told.facts(self.row))

    def _on_copy(self) -> None:
        row = self.row
        parts = [f"{row.name} — {self.state.text}", row.id]
        parts += [f"{name}: {value}" for name, value in self._lines()]
        if row.error is not None:
            parts.append(row_error_details(row.error))
        copy_plain(lines(parts))
