"""The program with a window, from its start to its end. Thread: GUI, the main thread."""

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEventLoop, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMessageBox, QPushButton

from app import __version__
from app.bootstrap.door import DOOR_TIMEOUT_S
from app.bootstrap.installation import Installation, claim_window
from app.console.demoplatform import DemoPlatform
from app.console.enginedoor import OpenEngine, open_engine
from app.console.errors import StartFailed
from app.console.pages import make_pages
from app.console.questions import NoSecretStore, StartGivenUp, StartQuestions
from app.console.service import ProgramService
from app.contract.asyncclient import AsyncDoor
from app.contract.client import RemoteDoor, attach
from app.contract.door import Door
from app.contract.limits import ChangeLimits
from app.contract.platforms import ListPlatforms, UpdatePlatform
from app.contract.program import RaiseWindow
from app.domain.errors import OperationalError
from app.domain.limits import TaskLimits
from app.domain.reasons import reason_of
from app.logs import MIB, ProgramLog
from app.paths import Folders
from app.views.console import Console, ThemeSwitch
from app.views.frame.brand import program_icon
from app.views.frame.memory import Memory
from app.views.frame.shell import Shell
from app.views.frame.trouble import TroubleReporter
from app.views.translation import LanguageSwitch
from app.views.widgets.plain import message_box
from app.views.words import error_details, error_hint, error_message
from app.workers.collector import GuiCollector
from app.workers.door import DoorClient
from app.workers.loop import asyncio_in_qt, run_here
from app.workers.signals import stop_signals_heard

_log = logging.getLogger(__name__)

FAILED = 1
SWITCH_S = 0.0005
"""How long a thread that reads an answer may keep the interpreter while the window waits for it; Python's 5 ms
would be felt, times a few threads."""
WINDOW_FILE = "window.ini"
DEMO_FOLDER = "demo"
_CLOSE_PAUSE_MS = 50


def run_console(*, minimized: bool = False, has_tray: bool | None = None, folders: Folders | None = None) -> int:
    """Show the window until the operator quits; return 0, or 1 when it could not be shown.

    Args:
        minimized: start in the tray.
        has_tray: whether it lives on in the tray when its window is closed; None asks the system.
        folders: where the files are; None finds them.
    """
    application = application_object(sys.argv[:1])
    try:
        installation = Installation.find(folders)
        memory = Memory(installation.folders.local / WINDOW_FILE)
        theme, languages = ThemeSwitch(application, memory), LanguageSwitch(application, memory)
        trouble = TroubleReporter(str(installation.folders.logs), application)
        with program_log(installation, trouble):
            _log.info("Standfast %s starts", __version__)
            window_lock = claim_window(installation)
            if window_lock is None:
                return raise_other_window(installation)
            with window_lock, GuiCollector() as collector:
                parts = _WindowParts(application, memory, theme, languages, trouble, collector)
                _run(installation, parts, minimized=minimized, has_tray=has_tray)
            _log.info("ended")
    except (NoSecretStore, StartGivenUp) as error:
        _log.info("%s", error)
        return FAILED
    except OperationalError as error:
        _log.error("the program could not be started: %s", error)
        show_error(error)
        return FAILED
    except OSError as error:
        _log.exception("the program could not be started")
        show_error(StartFailed(path=error.filename or "-", detail=reason_of(error)))
        return FAILED
    return 0


def application_object(arguments: Sequence[str]) -> QApplication:
    """Return the one application object, made when there is none."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    sys.setswitchinterval(SWITCH_S)
    application = QApplication(list(arguments))
    application.setApplicationName("standfast")
    application.setApplicationDisplayName("Standfast")
    application.setDesktopFileName("standfast")
    application.setApplicationVersion(__version__)
    # The program ends when the operator says so, not when the window goes into the tray.
    application.setQuitOnLastWindowClosed(False)
    application.setWindowIcon(program_icon())
    return application


def program_log(installation: Installation, trouble: TroubleReporter) -> ProgramLog:
    """Return the log of a program with a window, as the settings want it."""
    settings = installation.settings
    return ProgramLog(
        installation.folders.logs,
        name="console",
        level=getattr(logging, settings.log_level.name),
        file_bytes=settings.log_file_mb * MIB,
        file_count=settings.log_files,
        on_bug=trouble.report,
    )


def raise_other_window(installation: Installation) -> int:
    """Bring the window of the process that has one to the front; return the exit status."""
    with RemoteDoor(installation.folders.data) as door:
        door.wait_until_connected(DOOR_TIMEOUT_S)
        door.execute(RaiseWindow())
    _log.info("another window is open already and was brought to the front")
    return 0


def show_error(error: OperationalError) -> None:
    """Show what keeps the program from starting."""
    box = message_box(QMessageBox.Icon.Critical, "Standfast", error_message(error), error_hint(error))
    copy = QPushButton(QCoreApplication.translate("Program", "Copy details"), box)
    box.addButton(copy, QMessageBox.ButtonRole.ActionRole)
    copy.clicked.disconnect()  # a button of a message box closes it; this one must not
    details = error_details(error)
    copy.clicked.connect(partial(QGuiApplication.clipboard().setText, details))
    box.addButton(QMessageBox.StandardButton.Close)
    box.exec()


@dataclass(frozen=True, slots=True)
class _WindowParts:
    """Parts of the window that exist before there is an engine."""

    application: QApplication
    memory: Memory
    theme: ThemeSwitch
    languages: LanguageSwitch
    trouble: TroubleReporter
    collector: GuiCollector


def _run(installation: Installation, parts: _WindowParts, *, minimized: bool, has_tray: bool | None) -> None:
    with ExitStack() as ending:
        demo = DemoPlatform(installation.folders.data / DEMO_FOLDER)
        ending.callback(demo.stop)  # last: what ends before it removes its snapshots there
        ending.enter_context(asyncio_in_qt(parts.application))
        opened = open_engine(installation, StartQuestions(installation))
        ending.callback(_close_slowly, opened)
        client = ending.enter_context(client_of(installation.folders))
        # What the operator chose while the keyring failed is in the file now.
        current = Installation.find(installation.folders)
        service = ProgramService(
            current,
            demo,
            engine_is_elsewhere=not opened.is_ours,
            put_in_force=partial(_put_in_force, installation.folders),
        )
        resume_demo(demo, partial(attach, installation.folders.data))
        console = Console(client, parts.memory, parts.theme)
        shell = Shell(
            console,
            parts.languages,
            lambda console: make_pages(console, parts.languages, service),
            trouble=parts.trouble,
            has_tray=has_tray,
            engine_ends_too=opened.is_ours,
        )
        shell.ended.connect(parts.application.quit)
        ending.callback(shell.dismiss)
        shell.show(minimized=minimized)
        parts.collector.calm()
        with stop_signals_heard(lambda _: shell.end_at_once()):
            parts.application.exec()


@contextmanager
def client_of(folders: Folders, make_line: Callable[[Path], AsyncDoor] = AsyncDoor) -> Iterator[DoorClient]:
    """Give the window's way to the engine.

    Thread: GUI, inside :func:`app.workers.loop.asyncio_in_qt`.

    Raises:
        EngineAway: the engine went as soon as it was there.
    """
    line = make_line(folders.data)
    try:
        run_here(line.wait_until_connected(DOOR_TIMEOUT_S))
        client = DoorClient(line)
        try:
            yield client
        finally:
            client.close()
    finally:
        line.close()
        run_here(line.wait_closed())


def _put_in_force(folders: Folders, limits: TaskLimits) -> bool:
    # On a thread that waits: it has a connection of its own.
    with attach(folders.data) as door:
        door.execute(ChangeLimits(max_tasks=limits.tasks, transfer_buffer_mib=limits.buffer_mb))
    return True


def resume_demo(
    demo: DemoPlatform, open_door: Callable[[], AbstractContextManager[Door]]
) -> threading.Thread | None:
    """Start the demo platform again in the background when an earlier run used it; None when none did.

    Args:
        demo: the demo platform.
        open_door: opens the way to the engine for the thread that starts it.
    """
    if not demo.was_used():
        return None

    def resume() -> None:
        try:
            access = demo.start()
            with open_door() as door:
                for platform in door.ask(ListPlatforms()):
                    if (platform.address, platform.port) == (access.address, access.port):
                        command = UpdatePlatform(
                            platform=platform.id,
                            name=platform.name,
                            user=access.user,
                            password=access.password,
                            thumbprint_sha256=access.thumbprint_sha256,
                        )
                        door.execute(command)
        except OperationalError as error:
            _log.warning("the demo platform could not be started again: %s", error)

    thread = threading.Thread(target=resume, name="demo-platform", daemon=True)
    thread.start()
    return thread


def _close_slowly(opened: OpenEngine) -> None:
    """Close the engine on another thread while the desktop sees that the program lives: tasks clean up."""
    closer = threading.Thread(target=opened.close, name="engine-close")
    closer.start()
    loop = QEventLoop()
    timer = QTimer()
    timer.setInterval(_CLOSE_PAUSE_MS)
    timer.timeout.connect(partial(_on_look, closer, loop))
    timer.start()
    loop.exec()
    closer.join()


def _on_look(closer: threading.Thread, loop: QEventLoop) -> None:
    if not closer.is_alive():
        loop.quit()
