"""Takes pictures of every page in both languages and both themes, on real runs: ``./dev screenshots [FOLDER]``."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QImageWriter
from PySide6.QtWidgets import QDialog, QWidget
from pyVmomi import vim

from app.console.pages import make_pages
from app.console.program import application_object
from app.domain.ids import RuleId
from app.domain.states import BackupKind
from app.engine.api import ListTasks, RunNow
from app.views.console import Console, ThemeSwitch
from app.views.history import Address
from app.views.memory import Memory
from app.views.shell import Shell
from app.views.style import Theme
from app.views.translation import Language, LanguageSwitch
from app.workers.door import DoorClient
from tools.stage import MIB, Stage, let_live, open_stage, stage_spec, wait_for

TARGET = Path(__file__).resolve().parents[1] / "assets" / "screenshots"
WIDTH, HEIGHT = 1280, 800
MOST_BYTES = 150_000
_SETTLE_MS = 900
_DIALOG_MS = 900


def main(arguments: list[str]) -> int:
    """Take the pictures; return the exit status."""
    folder = Path(arguments[0]) if arguments else TARGET
    folder.mkdir(parents=True, exist_ok=True)
    application_object(sys.argv[:1])
    with (
        tempfile.TemporaryDirectory(prefix="standfast-") as root,
        open_stage(Path(root) / "s", stage_spec()) as stage,
    ):
        _take_all(stage, folder)
    return 0


def _take_all(stage: Stage, folder: Path) -> None:
    application = application_object(sys.argv[:1])
    memory = Memory(stage.installation.folders.local / "window.ini")
    memory.remember("language", Language.ENGLISH.value)
    memory.remember("theme", Theme.LIGHT.value)
    theme, languages = ThemeSwitch(application, memory), LanguageSwitch(application, memory)
    client = DoorClient(stage.engine)
    console = Console(client, memory, theme)
    shell = Shell(console, languages, lambda one: make_pages(one, languages, stage.program), has_tray=False)
    shell.window.resize(WIDTH, HEIGHT)
    shell.show()
    rules = _make_history(stage)
    _keep_running(stage, rules)
    let_live(4000)
    for language in (Language.ENGLISH, Language.CHINESE):
        languages.choose(language)
        shell.window.resize(WIDTH, HEIGHT)
        for colours in (Theme.LIGHT, Theme.DARK):
            theme.choose(colours)
            for name, address in _addresses(stage, rules):
                _take(shell, address, folder / f"{name}-{language.value}-{colours.value}.png")
    shell.dismiss()
    stage.simulator.faults.clear()
    client.close()


def _make_history(stage: Stage) -> dict[str, RuleId]:
    """Let the rules run a few times, once with a failure."""
    rules = stage.create_rules()
    for rule in rules.values():
        stage.run(rule, BackupKind.FULL)
    for kind in (BackupKind.INCREMENTAL, BackupKind.DIFFERENTIAL):
        stage.run(rules["databases"], kind)
    for method in ("CreateSnapshot_Task", "CreateSnapshotEx_Task"):
        stage.simulator.faults.fail_call(method, fault=vim.fault.TooManySnapshotLevels)
    stage.run(rules["office"], BackupKind.INCREMENTAL)
    return rules


def _keep_running(stage: Stage, rules: dict[str, RuleId]) -> None:
    """Start full backups that move data slowly enough to be looked at."""
    for step in range(6000):
        stage.simulator.faults.stall_nfc(step * MIB // 2, 0.3)
    for name in ("web", "databases"):
        stage.engine.execute(RunNow(rule=rules[name], kind=BackupKind.FULL))
    wait_for(
        lambda: any(row.progress.done_bytes > MIB for row in stage.engine.ask(ListTasks(limit=4))), seconds=30
    )


def _addresses(stage: Stage, rules: dict[str, RuleId]) -> Iterator[tuple[str, Address]]:
    yield "overview", Address("overview")
    yield "rules", Address("backup")
    yield "rule", Address("backup", (rules["web"],))
    yield "statistics", Address("backup", (rules["office"], "statistics"))
    yield "failed", Address("backup", (rules["office"], "tasks"))
    yield "rule-editor", Address("backup", ("new",))
    for page in ("restore", "migration", "tasks", "platforms", "standbys", "log", "settings"):
        yield page, Address(page)
    yield "task", Address("tasks", (stage.engine.ask(ListTasks(limit=1))[0].id,))


def _take(shell: Shell, address: Address, file: Path) -> None:
    window = shell.window
    if address.page not in {page.key for page in window.pages()}:
        return
    window.visit(address)
    let_live(_SETTLE_MS)
    dialogs = [one for one in window.findChildren(QDialog) if one.isVisible()]
    if dialogs:
        let_live(_DIALOG_MS)
    _save(dialogs[-1] if dialogs else window, file)
    for dialog in dialogs:
        dialog.reject()
    let_live(50)


def _save(widget: QWidget, file: Path) -> None:
    """Write a picture, with fewer colours when it would be large."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    _write(image, file)
    for few in (QImage.Format.Format_RGB16, QImage.Format.Format_RGB444):
        if file.stat().st_size > MOST_BYTES:
            flags = Qt.ImageConversionFlag.AvoidDither
            _write(image.convertToFormat(few, flags).convertToFormat(QImage.Format.Format_RGB32), file)
    print(f"{file.name}  {file.stat().st_size // 1000} kB")


def _write(image: QImage, file: Path) -> None:
    writer = QImageWriter(str(file), b"png")
    writer.setCompression(100)
    if not writer.write(image):
        raise OSError(f"{file}: {writer.errorString()}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
