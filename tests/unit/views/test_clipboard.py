from pathlib import Path

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from app.views.widgets import clipboard
from app.views.widgets.clipboard import FORGET_MS, SecretClipboard

SECRET = "AAAAA-BBBBB"
WITHOUT_SECRETS = {
    *("console/program.py", "views/frame/trouble.py", "views/widgets/banner.py", "views/widgets/stages.py"),
    *("views/log/page.py", "views/tasks/details.py", "views/tasks/page.py"),
}
"""What copies text of the log, of tasks and of errors; whatever shows a secret copies it over the one class."""


def on_clipboard() -> str:
    return QGuiApplication.clipboard().text()


def test_a_secret_stays_for_a_minute() -> None:
    assert FORGET_MS == 60_000


def test_a_secret_is_taken_away_after_its_time(qtbot: QtBot) -> None:
    owner = QObject()
    SecretClipboard(owner, forget_ms=50).copy(SECRET)
    assert on_clipboard() == SECRET
    qtbot.waitUntil(lambda: on_clipboard() == "", timeout=5000)


def test_what_was_copied_meanwhile_stays(qtbot: QtBot) -> None:
    owner = QObject()
    kept = SecretClipboard(owner, forget_ms=50)
    kept.copy(SECRET)
    QGuiApplication.clipboard().setText("something else")
    timer = kept.findChild(QTimer)
    assert isinstance(timer, QTimer)
    with qtbot.waitSignal(timer.timeout):
        pass
    assert on_clipboard() == "something else"


def test_a_second_secret_has_a_minute_of_its_own(qtbot: QtBot) -> None:
    owner = QObject()
    kept = SecretClipboard(owner, forget_ms=60_000)
    kept.copy(SECRET)
    kept.copy("another secret")
    assert on_clipboard() == "another secret"
    kept.forget()
    assert on_clipboard() == ""


def test_a_secret_is_taken_away_when_the_program_ends(qtbot: QtBot) -> None:
    owner = QObject()
    kept = SecretClipboard(owner)
    kept.copy(SECRET)
    application = QGuiApplication.instance()
    assert application is not None
    application.aboutToQuit.emit()
    assert on_clipboard() == ""


def test_only_modules_without_secrets_reach_the_clipboard_by_themselves() -> None:
    app = Path(clipboard.__file__).parents[2]
    reaching = {
        path.relative_to(app).as_posix()
        for path in app.rglob("*.py")
        if "clipboard()" in path.read_text(encoding="utf-8")
    }
    assert reaching == {"views/widgets/clipboard.py", *WITHOUT_SECRETS}
