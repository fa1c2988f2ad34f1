"""What the proof of a restore point found, with the picture of the VM's console."""

from datetime import timedelta
from functools import partial
from pathlib import Path

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QDialog, QFileDialog, QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.contract.proofs import ProofPicture, ProofRow, ReadProofPicture
from app.domain.display import visible
from app.domain.errors import OperationalError
from app.views import formatting, style
from app.views.console import Console
from app.views.icons import Glyph
from app.views.proof.words import proof_meaning, proof_pill
from app.views.widgets.banner import Banner
from app.views.widgets.dialog_help import offer_help
from app.views.widgets.elided import ElidedLabel
from app.views.widgets.pill import PillLabel
from app.views.widgets.plain import Label, set_title
from app.views.widgets.private_file import write_private
from app.views.widgets.stages import Stages
from app.views.words import said_text
from app.workers.answers import Failure

_PICTURE = QSize(560, 315)


class PictureNotWritten(OperationalError):
    """The file for a picture cannot be written."""

    code = "console.picture_not_written"
    message_template = "The picture could not be written to {path}: {detail}."
    hint_template = "Choose another folder, or free some space."


class PictureView(QWidget):
    """A picture as large as there is room, in its own proportions. Thread: GUI."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.picture = QPixmap()
        self.setMinimumSize(_PICTURE.width() // 2, _PICTURE.height() // 2)

    def show_picture(self, png: bytes) -> bool:
        """Show a PNG file; return whether it is one."""
        image = QImage.fromData(png, "PNG")  # type: ignore[arg-type]  # its stubs want what it refuses
        self.picture = QPixmap.fromImage(image)
        self.update()
        return not self.picture.isNull()

    def sizeHint(self) -> QSize:
        """Return the size at which the words of a console can be read."""
        return _PICTURE

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw it, in the middle."""
        if self.picture.isNull():
            return
        size = self.picture.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        place = QRectF(
            (self.width() - size.width()) / 2, (self.height() - size.height()) / 2, size.width(), size.height()
        )
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(place, self.picture, QRectF(self.picture.rect()))


class ProofDialog(QDialog):
    """Shows how a proof ended and why, and what the console showed then. Thread: GUI."""

    def __init__(self, console: Console, row: ProofRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._console = console
        self._row = row
        self._png = b""
        self.setModal(True)
        title = self.tr("{vm}, restore point of {time}")
        set_title(self, title.format(vm=visible(row.vm_name), time=formatting.exact_time(row.point_at)))
        self._build()
        self.close_button.setFocus()
        offer_help(self)
        self._ask()

    # --- construction -----------------------------------------------------------------------------------------

    def _build(self) -> None:
        proof = self._row.proof
        heading = ElidedLabel(parent=self)
        heading.setText(visible(self._row.vm_name))
        heading.setProperty("role", "title")
        self.state = PillLabel(self)
        self.state.show_pill(proof_pill(proof))
        top = QHBoxLayout()
        top.addWidget(heading, 1)
        top.addWidget(self.state)
        self.meaning = Label(proof_meaning(proof), self)
        words = self.tr("Reason: {reason}.")
        self.reason = Label(words.format(reason=said_text(proof.reason)), self)
        self.facts = Label(self._facts(), self)
        self.facts.setProperty("role", "secondary")
        for label in (self.meaning, self.reason, self.facts):
            label.setWordWrap(True)
        self.banner = Banner(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(style.SPACE_XL, style.SPACE_XL, style.SPACE_XL, style.SPACE_L)
        layout.setSpacing(style.SPACE_M)
        layout.addLayout(top)
        for widget in (self.meaning, self.reason, self.facts):
            layout.addWidget(widget)
        self.card = self._build_picture()
        self.card.setVisible(proof.has_picture)
        layout.addWidget(self.card, 1)
        layout.addWidget(self.banner)
        layout.addLayout(self._build_buttons())
        self.setMinimumWidth(style.DIALOG_WIDTH)

    def _build_picture(self) -> QWidget:
        self.picture = PictureView(self)
        self.picture.setAccessibleName(self.tr("Picture of the console when the proof ended"))
        self.stages = Stages(self.picture, self._console.theme, self)
        self.stages.retry_wanted.connect(self._ask)
        card = QFrame(self)
        card.setProperty("role", "card")
        inner = QVBoxLayout(card)
        inner.setContentsMargins(style.SPACE_S, style.SPACE_S, style.SPACE_S, style.SPACE_S)
        inner.addWidget(self.stages)
        return card

    def _build_buttons(self) -> QHBoxLayout:
        self.save = self._button(self.tr("Save picture…"), self._on_save)
        self.save.setEnabled(False)
        self.save.setVisible(self._row.proof.has_picture)
        self.task = self._button(self.tr("Show the task"), self._on_task)
        self.task.setVisible(self._row.proof.task is not None)
        self.close_button = QPushButton(self.tr("Close"), self)
        self.close_button.setDefault(True)
        self.close_button.clicked.connect(self.accept)
        buttons = QHBoxLayout()
        buttons.addWidget(self.save)
        buttons.addWidget(self.task)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        return buttons

    def _button(self, text: str, run: object) -> QPushButton:
        button = QPushButton(text, self)
        button.setProperty("role", "quiet")
        button.setAutoDefault(False)
        button.clicked.connect(run)
        return button

    def _facts(self) -> str:
        proof = self._row.proof
        words = self.tr("Restore point of {point} · rule {rule} · tried {time}, took {span}")
        return words.format(
            point=formatting.exact_time(self._row.point_at),
            time=formatting.exact_time(proof.at),
            span=formatting.duration(timedelta(seconds=proof.seconds)),
            rule=visible(self._row.rule_name) or formatting.NOTHING,
        )

    # --- the picture ------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        row = self._row
        if not row.proof.has_picture:
            return
        self.stages.show_loading()
        query = ReadProofPicture(standby=row.standby, target_path=row.target_path, point=row.point)
        self._console.door.ask(query, owner=self, on_done=self._on_picture, on_failed=self._on_failed)

    def _on_picture(self, found: ProofPicture | None) -> None:
        if found is not None and self.picture.show_picture(found.png):
            self._png = found.png
            self.save.setEnabled(True)
            self.stages.show_content()
            return
        text = self.tr("It is gone: another proof of this restore point has ended meanwhile.")
        if found is not None:
            text = self.tr("What is stored of it cannot be read.")
        self.stages.show_empty(Glyph.VM, self.tr("No picture of the console"), text)

    def _on_failed(self, failure: Failure) -> None:
        self.stages.show_failure(failure)

    def _on_save(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(
            self, self.tr("Save the picture"), "standfast-proof.png", self.tr("Pictures (*.png)")
        )
        if chosen:
            self._console.door.run_apart(
                partial(write_private, Path(chosen), self._png, PictureNotWritten),
                owner=self,
                on_done=partial(self._on_saved, chosen),
                on_failed=self.banner.show_failure,
            )

    def _on_saved(self, file: str, _answer: object) -> None:
        self.banner.show_success(self.tr("The picture is in {file}.").format(file=visible(file)))

    def _on_task(self) -> None:
        task = self._row.proof.task
        if task is not None:
            self.accept()
            self._console.go("tasks", task)
