"""The first start: register a platform, or try the built-in one."""

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.contract.platforms import RegisterPlatform
from app.contract.standbys import RegisterStandby
from app.views import style
from app.views.console import Console
from app.views.frame.brand import program_pixmap
from app.views.frame.places import BACKUP
from app.views.icons import Glyph, icon
from app.views.platforms.dialog import PlatformDialog
from app.views.program import DemoAccess, Program
from app.views.widgets.banner import Banner, MessageOverlay
from app.views.widgets.opening import open_once
from app.views.widgets.plain import Label
from app.workers.answers import Failure


class Welcome(QWidget):
    """Greets, and offers to register a platform or to try the built-in one. Thread: GUI.

    Signals:
        entered: a platform is registered now.
    """

    entered = Signal()

    def __init__(self, console: Console, program: Program, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._console = console
        self._program = program
        self._pictures: list[tuple[Label, Glyph]] = []
        self._build()
        console.theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    def _build(self) -> None:
        picture = Label(self)
        picture.setPixmap(program_pixmap(style.ICON_LARGE * 2, self.devicePixelRatioF()))
        title = Label(self.tr("Welcome to Standfast"), self)
        title.setProperty("role", "verdict")
        text = Label(
            self.tr("Back up VMware VMs without agents, prove that the backups are good, and bring VMs back."),
            self,
        )
        text.setProperty("role", "secondary")
        for label in (picture, title, text):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.banner = Banner(self)
        self.register_button = QPushButton(self.tr("Register a platform"), self)
        self.register_button.setProperty("role", "primary")
        self.register_button.clicked.connect(self._on_register)
        self.demo_button = QPushButton(self.tr("Try the demo platform"), self)
        self.demo_button.clicked.connect(self._on_demo)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(style.SPACE_XL, style.SPACE_XL, style.SPACE_XL, style.SPACE_XL)
        layout.setSpacing(style.SPACE_M)
        layout.addStretch(2)
        for label in (picture, title, text):
            layout.addWidget(label)
        layout.addSpacing(style.SPACE_XL)
        layout.addLayout(self._build_ways())
        self.messages = MessageOverlay(self, self.banner)
        layout.addStretch(3)

    def _build_ways(self) -> QHBoxLayout:
        ways = QHBoxLayout()
        ways.setSpacing(style.SPACE_L)
        ways.addStretch(1)
        ways.addWidget(
            self._way(
                Glyph.PLATFORM,
                self.tr("Start with your own platform"),
                self.tr("Connect a vCenter server or an ESXi host. Nothing is changed there until you say so."),
                self.register_button,
            )
        )
        ways.addWidget(
            self._way(
                Glyph.VM,
                self.tr("Look around first"),
                self.tr(
                    "A simulated vCenter with three VMs starts on this machine, with a standby machine next to it."
                ),
                self.demo_button,
            )
        )
        ways.addStretch(1)
        return ways

    def _way(self, glyph: Glyph, title: str, text: str, button: QPushButton) -> QFrame:
        card = QFrame(self)
        card.setProperty("role", "card")
        card.setFixedWidth(style.PANEL_WIDTH)
        picture = Label(card)
        self._pictures.append((picture, glyph))
        heading = Label(title, card)
        heading.setProperty("role", "title")
        words = Label(text, card)
        words.setProperty("role", "secondary")
        words.setWordWrap(True)
        layout = QVBoxLayout(card)
        layout.setContentsMargins(style.SPACE_XL, style.SPACE_XL, style.SPACE_XL, style.SPACE_XL)
        layout.setSpacing(style.SPACE_S)
        layout.addWidget(picture)
        layout.addWidget(heading)
        layout.addWidget(words, 1)
        layout.addSpacing(style.SPACE_S)
        layout.addWidget(button)
        return card

    # --- the two ways -----------------------------------------------------------------------------------------

    def _on_register(self) -> None:
        dialog = PlatformDialog(self._console, None, self)
        dialog.succeeded.connect(self.entered)
        open_once(dialog)

    def _on_demo(self) -> None:
        self.banner.hide()
        self._set_busy(self.tr("Starting the demo platform…"))
        self._console.door.run_apart(
            self._program.start_demo, owner=self, on_done=self._on_demo_started, on_failed=self._on_failed
        )

    def _on_demo_started(self, demo: DemoAccess) -> None:
        command = RegisterPlatform(
            name=self.tr("Demo vCenter"),
            address=demo.address,
            port=demo.port,
            user=demo.user,
            password=demo.password,
            thumbprint_sha256=demo.thumbprint_sha256,
        )
        self._console.door.execute(
            command, owner=self, on_done=self._then_standby(demo), on_failed=self._on_failed
        )

    def _then_standby(self, demo: DemoAccess) -> Callable[[object], None]:
        def register_standby(_platform: object) -> None:
            command = RegisterStandby(name=self.tr("Demo standby"), root_path=demo.standby_root)
            self._console.door.execute(command, owner=self, on_done=self._on_standby, on_failed=self._on_failed)

        return register_standby

    def _on_standby(self, _standby: object) -> None:
        self._set_busy("")
        self.entered.emit()
        self._console.go(BACKUP.page, *BACKUP.path)

    def _on_failed(self, failure: Failure) -> None:
        self._set_busy("")
        self.banner.show_failure(failure)

    def _set_busy(self, words: str) -> None:
        self.demo_button.setText(words or self.tr("Try the demo platform"))
        self.demo_button.setEnabled(not words)
        self.register_button.setEnabled(not words)

    def _on_theme_changed(self) -> None:
        colors = self._console.colors
        for label, glyph in self._pictures:
            label.setPixmap(icon(glyph, colors, colors.accent).pixmap(style.ICON_LARGE, style.ICON_LARGE))
