"""Choosing a directory: a tree that loads as it is opened, and a line to type a new one into."""

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QHeaderView, QLineEdit, QTreeWidget, QTreeWidgetItem, QWidget

from app.contract.base import Query
from app.contract.standbys import BrowseStandby, DirectoryEntry
from app.domain.display import visible
from app.domain.ids import StandbyId
from app.domain.standbys import TargetPathRefused, normal_target_path
from app.views import style
from app.views.console import Console
from app.views.icons import Glyph, icon
from app.views.widgets.form import Field, FormDialog
from app.views.widgets.plain import Label
from app.views.words import error_message
from app.workers.answers import Failure

_ENTRY = Qt.ItemDataRole.UserRole + 1
Browse = Callable[[str], Query[tuple[DirectoryEntry, ...]]]
"""Makes the query for the directories in a path."""


class DirectoryBrowser(FormDialog):
    """Browses the directories of a standby, or of whatever ``browse`` asks. Thread: GUI.

    Attributes:
        path: The line with the chosen path; may name a directory that is not there yet.
    """

    def __init__(
        self, console: Console, title: str, action: str, browse: Browse, parent: QWidget | None = None
    ) -> None:
        super().__init__(console, title, action, parent)
        self._browse = browse
        self.resize(style.DIALOG_WIDTH - 2 * style.SPACE_XL, style.DIALOG_HEIGHT)
        form = self.add_form()
        self.path = QLineEdit(self)
        self._path = self.add_field(
            form,
            self.tr("Directory"),
            self.path,
            required=True,
            help_text=self.tr("Choose one below, or type a new one: it is made when it is first used."),
        )
        self.path.textEdited.connect(self._on_typed)
        self.tree = QTreeWidget(self)
        self.tree.setAccessibleName(self.tr("Directories"))
        self.tree.setColumnCount(2)
        self.tree.setHeaderHidden(True)
        self.tree.header().setStretchLastSection(False)
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.setMinimumHeight(style.CHART_HEIGHT)
        self.tree.itemExpanded.connect(self._on_expanded)
        # Not the current one: Qt makes the first directory current as soon as the keyboard comes into the tree.
        self.tree.itemSelectionChanged.connect(self._on_selected)
        self.tree.itemActivated.connect(self._on_activated)
        self._state = Label(self)
        self._state.setProperty("role", "secondary")
        self.body.addWidget(self.tree, 1)
        self._state.setMinimumHeight(self._state.sizeHint().height())
        self.body.addWidget(self._state)
        self._load(None)

    @classmethod
    def of_standby(
        cls, console: Console, standby: StandbyId, name: str, parent: QWidget | None = None
    ) -> "DirectoryBrowser":
        """Return a browser of a standby's directories."""
        title = QCoreApplication.translate("DirectoryBrowser", "Choose a directory on {name}").format(name=name)
        action = QCoreApplication.translate("DirectoryBrowser", "Use this directory")
        return cls(console, title, action, lambda path: BrowseStandby(standby=standby, path=path), parent)

    @property
    def chosen(self) -> str:
        """Return the chosen path in the form in which it is kept."""
        return normal_target_path(self.path.text())

    # --- loading ----------------------------------------------------------------------------------------------

    def _load(self, item: QTreeWidgetItem | None) -> None:
        path = "" if item is None else item.data(0, _ENTRY).path
        self._state.setText(self.tr("Loading…"))

        def on_done(entries: tuple[DirectoryEntry, ...]) -> None:
            self._state.setText("" if entries or item is not None else self.tr("There is no directory here yet."))
            self._show(item, entries)

        def on_failed(failure: Failure) -> None:
            self._state.setText("")
            self.banner.show_failure(failure)
            if item is not None:
                item.setExpanded(False)

        self.console.door.ask(self._browse(path), owner=self, on_done=on_done, on_failed=on_failed)

    def _show(self, item: QTreeWidgetItem | None, entries: tuple[DirectoryEntry, ...]) -> None:
        parent = item or self.tree.invisibleRootItem()
        parent.takeChildren()
        for entry in entries:
            child = QTreeWidgetItem([visible(entry.name), self.tr("holds backups") if entry.is_repository else ""])
            glyph = Glyph.BACKUP if entry.is_repository else Glyph.FOLDER
            child.setIcon(0, icon(glyph, self.console.colors))
            child.setData(0, _ENTRY, entry)
            child.setForeground(1, self.palette().placeholderText())
            if entry.has_children:
                # A child that stands in until the directory is opened, so that the arrow shows.
                child.addChild(QTreeWidgetItem([self.tr("Loading…")]))
            parent.addChild(child)

    def _on_expanded(self, item: QTreeWidgetItem) -> None:
        first = item.child(0)
        if first is not None and first.data(0, _ENTRY) is None:
            self._load(item)

    # --- choosing ---------------------------------------------------------------------------------------------

    def _on_selected(self) -> None:
        for item in self.tree.selectedItems():
            self._take(item)

    def _take(self, item: QTreeWidgetItem) -> None:
        entry = item.data(0, _ENTRY)
        if isinstance(entry, DirectoryEntry):
            self.path.setText(entry.path)
            self._path.set_problem("")

    def _on_activated(self, item: QTreeWidgetItem) -> None:
        if item.childCount() == 0 and isinstance(item.data(0, _ENTRY), DirectoryEntry):
            self._take(item)
            self.accept()

    def _on_typed(self) -> None:
        self.tree.clearSelection()
        self.tree.setCurrentItem(None)  # type: ignore[call-overload]  # Qt's way to select nothing

    def problems(self) -> dict[Field, str]:
        """Return what is wrong with the typed path."""
        try:
            if not self.chosen:
                return {self._path: self.tr("Choose or type a directory.")}
        except TargetPathRefused as error:
            return {self._path: error_message(error)}
        return {}

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Close with the chosen path."""
        del on_failed
        on_done(None)
