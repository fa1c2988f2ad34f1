"""The frame: navigation, breadcrumb, search, pages, status bar."""

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QResizeEvent, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMainWindow,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.views import style
from app.views.console import Console
from app.views.frame.help import HelpPanel
from app.views.frame.history import Address, History
from app.views.icons import Glyph, icon
from app.views.page import Crumb, Page
from app.views.widgets.plain import Label, MarkupLabel, markup_of, set_tip, set_title
from app.views.widgets.screenfit import ScreenFit


class MainWindow(QMainWindow):
    """The console's window. Thread: GUI.

    Attributes:
        header: Where search and other tools are added at the right.
        status: The status bar's layout.

    Signals:
        close_wanted: the operator closed the window; the program may live on in the tray.
    """

    close_wanted = Signal()

    def __init__(self, console: Console, pages: Sequence[Page]) -> None:
        super().__init__()
        self.console = console
        self._pages = {page.key: page for page in pages}
        self._history = History(Address(pages[0].key))
        self._stays_open = False
        self._is_closing = False
        self._tools: list[QToolButton] = []
        self._build(pages)
        self._build_shortcuts()
        console.address_wanted.connect(self.visit)
        console.theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()
        if not console.memory.restore_geometry("main", self):
            self.resize(style.WINDOW_WIDTH, style.WINDOW_HEIGHT)
        self._open(self._history.current)

    # --- construction -----------------------------------------------------------------------------------------

    def _build(self, pages: Sequence[Page]) -> None:
        set_title(self, self.tr("Standfast"))
        least = QSize(style.WINDOW_MIN_WIDTH, style.WINDOW_MIN_HEIGHT)
        self.setMinimumSize(least)
        self._fit = ScreenFit(self, least)
        middle = QWidget(self)
        columns = QHBoxLayout()
        columns.setSpacing(0)
        columns.addWidget(self._build_navigation(pages))
        columns.addLayout(self._build_content(pages), 1)
        self.help = HelpPanel(self.console, middle)
        self._columns = columns
        columns.addWidget(self.help)
        self.help.shown.connect(self._place_help)
        rows = QVBoxLayout(middle)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addLayout(columns, 1)
        rows.addWidget(self._build_status())
        self.setCentralWidget(middle)

    def _build_navigation(self, pages: Sequence[Page]) -> QWidget:
        side = QWidget(self)
        side.setFixedWidth(style.NAVIGATION_WIDTH)
        self._brand = Label(self.tr("Standfast"), side)
        self._brand.setObjectName("brand")
        self._brand.setFixedHeight(style.CONTROL_HEIGHT + 2 * style.SPACE_S)
        self._brand.setIndent(style.SPACE_L)
        self._navigation = QListWidget(side)
        self._navigation.setObjectName("navigation")
        self._navigation.setAccessibleName(self.tr("Pages"))
        self._navigation.setIconSize(QSize(style.ICON + 2, style.ICON + 2))
        self._navigation.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for page in pages:
            item = QListWidgetItem(page.title(), self._navigation)
            item.setData(Qt.ItemDataRole.UserRole, page.key)
        self._navigation.itemClicked.connect(self._on_navigated)
        self._navigation.itemActivated.connect(self._on_navigated)
        layout = QVBoxLayout(side)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._brand)
        layout.addWidget(self._navigation, 1)
        return side

    def _build_content(self, pages: Sequence[Page]) -> QVBoxLayout:
        header = QFrame(self)
        header.setObjectName("header")
        self.header = QHBoxLayout(header)
        self.header.setContentsMargins(style.SPACE_S, style.SPACE_XS, style.SPACE_L, style.SPACE_XS)
        self.header.setSpacing(style.SPACE_XS)
        self._back = self._tool(Glyph.BACK, self.tr("Back (Alt+Left)"))
        self._back.clicked.connect(self._on_back)
        self._forward = self._tool(Glyph.FORWARD, self.tr("Forward (Alt+Right)"))
        self._forward.clicked.connect(self._on_forward)
        self._crumbs = MarkupLabel(parent=header)
        self._crumbs.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._crumbs.setProperty("role", "title")
        self._crumbs.linkActivated.connect(self._on_crumb)
        self.header.addWidget(self._back)
        self.header.addWidget(self._forward)
        self.header.addSpacing(style.SPACE_S)
        self.header.addWidget(self._crumbs, 1)
        self._theme_button = self._tool(Glyph.THEME, self.tr("Light or dark"))
        self._theme_button.clicked.connect(self.console.theme.toggle)
        self._help_button = self._tool(Glyph.HELP, self.tr("Help for this page (F1)"))
        self._help_button.clicked.connect(self._on_help)
        self.header.addWidget(self._theme_button)
        self.header.addWidget(self._help_button)
        self._stack = QStackedWidget(self)
        for page in pages:
            self._stack.addWidget(page)
            page.crumbs_changed.connect(self._on_crumbs_changed)
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addWidget(header)
        column.addWidget(self._stack, 1)
        return column

    def _build_status(self) -> QWidget:
        bar = QFrame(self)
        bar.setObjectName("statusbar")
        self.status = QHBoxLayout(bar)
        self.status.setContentsMargins(style.SPACE_L, 0, style.SPACE_L, 0)
        self.status.setSpacing(style.SPACE_L)
        bar.setFixedHeight(style.CONTROL_HEIGHT)
        self._bar = bar
        return bar

    def _tool(self, glyph: Glyph, tooltip: str) -> QToolButton:
        button = QToolButton(self)
        set_tip(button, tooltip)
        button.setAccessibleName(tooltip)
        button.setProperty("glyph", glyph.name)
        self._tools.append(button)
        return button

    def _build_shortcuts(self) -> None:
        for keys, slot in (
            (QKeySequence.StandardKey.Back, self._on_back),
            (QKeySequence.StandardKey.Forward, self._on_forward),
            (QKeySequence.StandardKey.HelpContents, self._on_help),
        ):
            QShortcut(keys, self).activated.connect(slot)
        for place in range(1, min(9, len(self._pages)) + 1):
            shortcut = QShortcut(QKeySequence(f"Ctrl+{place}"), self)
            shortcut.setProperty("place", place - 1)
            shortcut.activated.connect(self._on_page_shortcut)

    def add_tool(self, button: QToolButton, glyph: Glyph) -> None:
        """Add a button at the right of the header, before the theme's."""
        button.setProperty("glyph", glyph.name)
        button.setIcon(icon(glyph, self.console.colors))
        self._tools.append(button)
        self.header.insertWidget(self.header.indexOf(self._theme_button), button)

    def pages(self) -> tuple[Page, ...]:
        """Return the pages in the order of the navigation."""
        return tuple(self._pages.values())

    # --- going places -----------------------------------------------------------------------------------------

    @property
    def address(self) -> Address:
        """Return where the window is."""
        return self._history.current

    def visit(self, address: Address) -> None:
        """Go to an address; the page loads what it names."""
        if address.page in self._pages:
            self._history.visit(address)
            self._open(address)

    def shown_page(self) -> Page | None:
        """Return the page that is shown; None before the first one."""
        page = self._stack.currentWidget()
        return page if isinstance(page, Page) else None

    def refresh(self) -> None:
        """Load again what is shown."""
        page = self.shown_page()
        if page is not None:
            page.refresh()

    def _open(self, address: Address) -> None:
        page = self._pages[address.page]
        left = self.shown_page()
        if left is not None and left is not page:
            left.leave()
        self._stack.setCurrentWidget(page)
        self._navigation.setCurrentRow(list(self._pages).index(address.page))
        page.open(address.path)
        self._on_crumbs_changed()
        self.help.show_help(page.title(), page.help_text())
        self._place_help()
        self._back.setEnabled(self._history.can_go_back)
        self._forward.setEnabled(self._history.can_go_forward)

    def _on_navigated(self, item: QListWidgetItem) -> None:
        self.visit(Address(item.data(Qt.ItemDataRole.UserRole)))

    def _on_page_shortcut(self) -> None:
        shortcut = self.sender()
        if isinstance(shortcut, QShortcut):
            self.visit(Address(list(self._pages)[shortcut.property("place")]))

    def _on_back(self) -> None:
        if self._history.can_go_back:
            self._open(self._history.back())

    def _on_forward(self) -> None:
        if self._history.can_go_forward:
            self._open(self._history.forward())

    def _on_crumbs_changed(self) -> None:
        page = self._stack.currentWidget()
        assert isinstance(page, Page)
        crumbs = page.crumbs()
        self._show_crumbs(crumbs)
        set_title(self, " › ".join(crumb.text for crumb in reversed(crumbs)) + " — " + self.tr("Standfast"))

    def _show_crumbs(self, crumbs: Sequence[Crumb]) -> None:
        """Write the breadcrumb; what is longer than its room is shortened, the longest step first."""
        metrics, texts = self._crumbs.fontMetrics(), [crumb.text for crumb in crumbs]
        separators = metrics.horizontalAdvance(" › ") * (len(texts) - 1)
        room = self._crumbs.width() - separators - style.SPACE_S
        widths = [metrics.horizontalAdvance(text) for text in texts]
        if self._crumbs.isVisible() and sum(widths) > room:
            place = widths.index(max(widths))
            left = max(style.NAVIGATION_WIDTH // 2, room - sum(widths) + widths[place])
            texts[place] = metrics.elidedText(texts[place], Qt.TextElideMode.ElideMiddle, left)
        shortened = texts != [crumb.text for crumb in crumbs]
        set_tip(self._crumbs, " › ".join(crumb.text for crumb in crumbs) if shortened else "")
        shown = [Crumb(text, crumb.address) for text, crumb in zip(texts, crumbs, strict=True)]
        self._crumbs.setText(self._crumb_text(shown))

    def showEvent(self, event: QShowEvent) -> None:
        """Fit the window with its frame into what the panels leave of the screen."""
        super().showEvent(event)
        self._fit.begin()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the breadcrumb and the help into the new width."""
        super().resizeEvent(event)
        self._place_help()
        if self._stack.currentWidget() is not None:
            self._on_crumbs_changed()

    def _place_help(self) -> None:
        """Put the help next to the page where both have room, else over the page's right part."""
        least = style.NAVIGATION_WIDTH + self._least_page_width() + self.help.width()
        has_room = least <= self.width()
        is_column = self._columns.indexOf(self.help) >= 0
        if has_room and not is_column:
            self._columns.addWidget(self.help)
        elif not has_room and is_column:
            self._columns.removeWidget(self.help)
        self.help.setProperty("floats", not has_room)
        if not has_room:
            area = self.rect().adjusted(0, 0, 0, -self._bar.height())
            self.help.setGeometry(area.adjusted(area.width() - self.help.width(), 0, 0, 0))
            self.help.raise_()

    def _least_page_width(self) -> int:
        page = self._stack.currentWidget()
        return 0 if page is None else page.minimumSizeHint().width()

    def _crumb_text(self, crumbs: Sequence[Crumb]) -> str:
        color = self.console.colors.secondary
        parts = []
        for crumb in crumbs:
            text = markup_of(crumb.text)
            if crumb.address is None:
                parts.append(text)
            else:
                target = markup_of("/".join((crumb.address.page, *crumb.address.path)))
                parts.append(f'<a style="color:{color};text-decoration:none" href="{target}">{text}</a>')
        return f' <span style="color:{color}">›</span> '.join(parts)

    def _on_crumb(self, target: str) -> None:
        page, *path = target.split("/")
        self.visit(Address(page, tuple(path)))

    def _on_help(self) -> None:
        page = self._stack.currentWidget()
        assert isinstance(page, Page)
        if self.help.isVisible():
            self.help.close_panel()
            page.setFocus()
        else:
            self.help.show_help(page.title(), page.help_text())
            self.help.open_panel()

    # --- looks and leave --------------------------------------------------------------------------------------

    def _on_theme_changed(self) -> None:
        colors = self.console.colors
        for button in self._tools:
            button.setIcon(icon(Glyph[button.property("glyph")], colors))
        for place, page in enumerate(self._pages.values()):
            self._navigation.item(place).setIcon(icon(page.glyph, colors))
        if self._stack.currentWidget() is not None:
            self._on_crumbs_changed()

    def let_close(self) -> None:
        """Close for good, without a signal: the program ends."""
        self._stays_open = False
        self._is_closing = True
        self.close()

    def dismiss(self) -> None:
        """Go for good, because another window takes the place of this one."""
        page = self._stack.currentWidget()
        if isinstance(page, Page):
            page.leave()
        self.let_close()
        self.deleteLater()

    def keep_open(self) -> None:
        """From now on closing the window only hides it; the program lives on in the tray."""
        self._stays_open = True

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remember the geometry; hide instead of closing while the program lives on in the tray."""
        self.console.memory.save_geometry("main", self)
        if self._is_closing:
            event.accept()
            return
        # The owner of the window decides what ends; it is only put away here.
        event.ignore()
        if self._stays_open:
            self.hide()
        self.close_wanted.emit()
