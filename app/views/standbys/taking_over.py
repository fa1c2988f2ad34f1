"""The way from the list of standby machines to a take-over. GUI thread."""

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.contract.moving import FoundConsole, InspectTakeOver
from app.contract.standbys import StandbyRow
from app.domain.units import filled
from app.views.console import Console
from app.views.moving.take_over import TakeOverDialog
from app.views.widgets.banner import Banner
from app.views.widgets.opening import open_once
from app.views.widgets.question import Question


class TakingOver(QObject):
    """Asks what other consoles left at a standby machine, opens the dialog, and says what was done."""

    def __init__(
        self, console: Console, banner: Banner, chosen: Callable[[], Sequence[StandbyRow]], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._console = console
        self._banner = banner
        self._chosen = chosen
        self._page = parent
        self._question = Question(console.door, self)

    def leave(self) -> None:
        """Stop asking."""
        self._question.withdraw()

    def ask_selected(self) -> None:
        """Look at the selected standby machine, then ask."""
        for row in self._chosen()[:1]:
            self._banner.hide()
            self._question.ask(
                InspectTakeOver(standby=row.id), partial(self._on_found, row), self._banner.show_failure
            )

    def _on_found(self, row: StandbyRow, consoles: Sequence[FoundConsole]) -> None:
        if not consoles:
            self._banner.show_text(
                self.tr("No other console has rules at {name}.").format(name=row.name),
                self.tr("Its restore points are under VM recovery; they can be restored in any case."),
            )
            return
        dialog = TakeOverDialog(self._console, row, consoles, self._page)
        dialog.succeeded.connect(partial(self._on_done, dialog))
        open_once(dialog)

    def _on_done(self, dialog: TakeOverDialog) -> None:
        report = dialog.report
        if report is None:
            return
        words = filled(self.tr("{count} {count:rule was/rules were} adopted."), {"count": len(report.adopted)})
        if report.left:
            hint = self.tr(
                "Left: {names}. They are here already, a VM is in another rule, or a platform is missing."
            )
            self._banner.show_warning(words, hint.format(names=", ".join(report.left)))
        else:
            self._banner.show_success(words)
