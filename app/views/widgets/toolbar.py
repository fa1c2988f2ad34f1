"""The tool bar of a page: main action filled, the others quiet; filter, refresh and columns at the right."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QMenu, QPushButton, QToolButton, QWidget

from app.views import style
from app.views.console import ThemeSwitch
from app.views.icons import Glyph, icon
from app.views.widgets.overflow import Overflow
from app.views.widgets.pause import Pause
from app.views.widgets.plain import set_tip

_FILTER_DELAY_MS = 120


class ToolBar(QFrame):
    """Buttons of a page. Thread: GUI.

    Signals:
        refresh_wanted: F5 or the refresh button.
        filter_changed: the filter's text, once typing pauses.
        list_wanted: Enter or the down arrow in the filter: the keyboard goes on in the list.
    """

    refresh_wanted = Signal()
    filter_changed = Signal(str)
    list_wanted = Signal()

    def __init__(self, theme: ThemeSwitch, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("toolbar")
        self._theme = theme
        self._glyphs: list[tuple[QPushButton | QToolButton | QAction, Glyph, bool]] = []
        self._columns: Callable[[], QMenu] | None = None
        self._offers_export = False
        self._build()
        theme.changed.connect(self._on_theme_changed)

    def _build(self) -> None:
        self._left = QHBoxLayout()
        self._left.setSpacing(style.SPACE_S)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(style.SPACE_L, style.SPACE_S, style.SPACE_L, style.SPACE_S)
        layout.setSpacing(style.SPACE_S)
        layout.addLayout(self._left)
        self._more = self._icon_button(Glyph.MORE, self.tr("More…"))
        self.overflow = Overflow(self._more, style.SPACE_S)
        layout.addWidget(self._more)
        layout.addStretch(1)
        self.filter = QLineEdit(self)
        self.filter.setPlaceholderText(self.tr("Filter…"))
        self.filter.setAccessibleName(self.tr("Filter the list"))
        self.filter.setClearButtonEnabled(True)
        self.filter.setMinimumWidth(style.FIELD_WIDTH // 3)
        self.filter.setMaximumWidth(style.FIELD_WIDTH // 2 + style.SPACE_XL)
        self._filter_icon = QAction(self.filter)
        self.filter.addAction(self._filter_icon, QLineEdit.ActionPosition.LeadingPosition)
        self._give_glyph(self._filter_icon, Glyph.FILTER)
        self._typing = Pause(_FILTER_DELAY_MS, self)
        self._typing.timeout.connect(self._on_typing_paused)
        self.filter.textChanged.connect(self._typing.restart)
        self.filter.returnPressed.connect(self._on_filter_left)
        self.filter.installEventFilter(self)
        layout.addWidget(self.filter)
        self._refresh = self._icon_button(Glyph.REFRESH, self.tr("Refresh (F5)"))
        self._refresh.clicked.connect(self.refresh_wanted)
        layout.addWidget(self._refresh)
        self._columns_button = self._icon_button(Glyph.COLUMNS, self.tr("Show and hide columns"))
        self._columns_button.clicked.connect(self._on_columns)
        self._columns_button.hide()
        self.export_button = self._icon_button(Glyph.EXPORT, self.tr("Export the list to a file… (Ctrl+E)"))
        self.export_button.setShortcut(QKeySequence("Ctrl+E"))
        self.export_button.hide()
        layout.addWidget(self.export_button)
        layout.addWidget(self._columns_button)
        focus = QShortcut(QKeySequence.StandardKey.Find, self.parentWidget() or self)
        focus.activated.connect(self._on_find)
        again = QShortcut(QKeySequence.StandardKey.Refresh, self.parentWidget() or self)
        again.activated.connect(self.refresh_wanted)

    # --- for pages --------------------------------------------------------------------------------------------

    def add_primary(self, text: str, glyph: Glyph, on_clicked: Callable[[], None]) -> QPushButton:
        """Add the page's main action."""
        button = QPushButton(text, self)
        button.setProperty("role", "primary")
        self._give_glyph(button, glyph, primary=True)
        button.clicked.connect(on_clicked)
        self._left.addWidget(button)
        return button

    def add_action(
        self, text: str, glyph: Glyph, on_clicked: Callable[[], None], *, tooltip: str = ""
    ) -> QPushButton:
        """Add another action."""
        button = QPushButton(text, self)
        button.setProperty("role", "quiet")
        set_tip(button, tooltip)
        self._give_glyph(button, glyph)
        button.clicked.connect(on_clicked)
        self._left.addWidget(button)
        self.overflow.add(button)
        return button

    def add_widget(self, widget: QWidget) -> None:
        """Add a widget of the page's own, such as a range of dates."""
        self._left.addWidget(widget)

    def offer_columns(self, make_menu: Callable[[], QMenu]) -> None:
        """Show the button that opens a table's column menu."""
        self._columns = make_menu
        self._columns_button.show()

    def offer_export(self, on_clicked: Callable[[], None]) -> None:
        """Show the button that writes the list to a file."""
        self._offers_export = True
        self.export_button.clicked.connect(on_clicked)
        self.export_button.show()

    def show_list_tools(self, *, shown: bool) -> None:
        """Show or hide filter, export and columns, on pages that show a list or something else."""
        self.filter.setVisible(shown)
        self.export_button.setVisible(shown and self._offers_export)
        self._columns_button.setVisible(shown and self._columns is not None)

    def hide_filter(self) -> None:
        """Leave the filter out, on pages without a list."""
        self.filter.hide()

    # --- room -------------------------------------------------------------------------------------------------

    def minimumSizeHint(self) -> QSize:
        """Return the room for what always stays; the other buttons can wait in a menu."""
        return QSize(self._fixed_width() + self.overflow.least, super().minimumSizeHint().height())

    def event(self, event: QEvent) -> bool:
        """Decide again which buttons have room, whenever it or they change."""
        done = super().event(event)
        if event.type() in (QEvent.Type.Resize, QEvent.Type.LayoutRequest, QEvent.Type.Show):
            self.overflow.fit(self.width() - self._fixed_width())
        return done

    def _fixed_width(self) -> int:
        """Return the width of everything that always stays, with margins."""
        margins = self.contentsMargins()
        width = 2 * style.SPACE_L + margins.left() + margins.right()
        for child in self.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            if child.isHidden() or self.overflow.holds(child) or isinstance(child, QMenu):
                continue
            width += max(child.minimumWidth(), child.minimumSizeHint().width()) + style.SPACE_S
        return width

    # --- slots ------------------------------------------------------------------------------------------------

    def _icon_button(self, glyph: Glyph, tooltip: str) -> QToolButton:
        button = QToolButton(self)
        set_tip(button, tooltip)
        button.setAccessibleName(tooltip)
        self._give_glyph(button, glyph)
        return button

    def _give_glyph(
        self, target: QPushButton | QToolButton | QAction, glyph: Glyph, *, primary: bool = False
    ) -> None:
        self._glyphs.append((target, glyph, primary))
        colors = self._theme.colors
        target.setIcon(icon(glyph, colors, colors.on_accent if primary else None))

    def _on_theme_changed(self) -> None:
        colors = self._theme.colors
        for target, glyph, primary in self._glyphs:
            target.setIcon(icon(glyph, colors, colors.on_accent if primary else None))

    def _on_typing_paused(self) -> None:
        self.filter_changed.emit(self.filter.text())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the down arrow leave the filter for the list."""
        if watched is not self.filter or event.type() is not QEvent.Type.KeyPress:
            return super().eventFilter(watched, event)
        if isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Down:
            self._on_filter_left()
            return True
        return super().eventFilter(watched, event)

    def _on_filter_left(self) -> None:
        self._typing.stop()
        self._on_typing_paused()
        self.list_wanted.emit()

    def _on_find(self) -> None:
        self.filter.setFocus()
        self.filter.selectAll()

    def _on_columns(self) -> None:
        if self._columns is not None:
            menu = self._columns()
            menu.popup(self._columns_button.mapToGlobal(self._columns_button.rect().bottomLeft()))
