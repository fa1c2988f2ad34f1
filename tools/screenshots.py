"""Takes pictures of every page and dialog in both languages and themes, on real runs: ``./dev screenshots``.

``./dev screenshots FOLDER NAME ...`` takes only the named pictures. The runs of past days are real, too: the
engine's clock is set back for them.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QWidget
from pyVmomi import vim

from app.bootstrap.host import EngineHost
from app.bootstrap.installation import Installation
from app.cli.demo.stage import folders_in
from app.console.pages import make_pages
from app.console.program import application_object
from app.contract.proofs import StartProof
from app.contract.rules import ListVmPoints, RunNow
from app.contract.tasks import ListTasks, TaskRow
from app.domain.ids import RuleId
from app.domain.states import BackupKind, TaskState
from app.secretstore.file_store import EncryptedFileSecretStore
from app.views.console import Console, ThemeSwitch
from app.views.frame.memory import Memory
from app.views.frame.shell import Shell
from app.views.restore.dialog import RestoreDialog
from app.views.style import Theme
from app.views.translation import Language, LanguageSwitch
from app.workers.collector import GuiCollector
from app.workers.threads import QtTaskRunner
from tests.support.local_line import LocalClient
from tools.pictures import save_picture
from tools.scenes import Set, close_dialogs, scenes
from tools.stage import MIB, RULES, ShiftedClock, Stage, let_live, open_stage, stage_spec, wait_for

TARGET = Path(__file__).resolve().parents[1] / "assets" / "screenshots"
WIDTH, HEIGHT = 1280, 800
_FONTS = {Language.ENGLISH: "Noto Sans CJK KR", Language.CHINESE: "Noto Sans CJK SC"}
"""One font, with the middle dot as wide as the language has it."""
_STALL_S = 1.0
_UNDER_WAY = 0.06
_DAYS = 12
_WELCOME_MS = 1200


def main(arguments: list[str]) -> int:
    """Take the pictures; return the exit status."""
    parser = argparse.ArgumentParser(prog="./dev screenshots", description=main.__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=TARGET, metavar="FOLDER")
    parser.add_argument("names", nargs="*", metavar="NAME", help="take only these pictures")
    chosen = parser.parse_args(arguments)
    folder: Path = chosen.folder
    folder.mkdir(parents=True, exist_ok=True)
    application = application_object(sys.argv[:1])
    _choose_font(Language.ENGLISH)
    clock = ShiftedClock()
    with (
        tempfile.TemporaryDirectory(prefix="sf-") as root,
        open_stage(Path(root), stage_spec(), clock) as stage,
        GuiCollector(),
    ):  # the engine's threads run in this process
        _take_all(stage, clock, folder, frozenset(chosen.names))
    application.processEvents()
    return 0


def _choose_font(language: Language) -> None:
    """Take a font with bold Chinese where there is one, as desktops have it; the system's own otherwise."""
    application = application_object(sys.argv[:1])
    family = _FONTS[language]
    if family in QFontDatabase.families():
        font = application.font()
        font.setFamily(family)
        application.setFont(font)


def _take_all(stage: Stage, clock: ShiftedClock, folder: Path, wanted: frozenset[str]) -> None:
    rules = _make_history(stage, clock)
    with _window(stage, LocalClient(stage.engine)) as (shell, console, theme, languages):
        on = Set(stage, rules, shell, console)
        _restore_one(on)
        _prove_some(on)
        for step in range(20_000):
            stage.simulator.faults.stall_nfc(step * MIB // 2, _STALL_S)
        for language in (Language.ENGLISH, Language.CHINESE):
            _choose_font(language)
            languages.choose(language)
            shell.window.resize(WIDTH, HEIGHT)
            for colours in (Theme.LIGHT, Theme.DARK):
                theme.choose(colours)
                _keep_running(stage, rules)
                for name, show in scenes(on):
                    if not wanted or name in wanted:
                        _save(show(on), folder, name, language, colours)
                        close_dialogs()
                if not wanted or "welcome" in wanted:
                    _take_welcome(stage, folder, language, colours)
    stage.simulator.faults.clear()


def _save(widget: QWidget, folder: Path, name: str, language: Language, colours: Theme) -> None:
    file = folder / f"{name}-{language.value}-{colours.value}.png"
    save_picture(widget, file)
    print(f"{file.name}  {file.stat().st_size // 1000} kB", flush=True)


@contextmanager
def _window(
    stage: Stage, client: LocalClient, name: str = "window"
) -> Iterator[tuple[Shell, Console, ThemeSwitch, LanguageSwitch]]:
    application = application_object(sys.argv[:1])
    memory = Memory(stage.installation.folders.local / f"{name}.ini")
    memory.remember("language", Language.ENGLISH.value)
    memory.remember("theme", Theme.LIGHT.value)
    theme, languages = ThemeSwitch(application, memory), LanguageSwitch(application, memory)
    console = Console(client, memory, theme)
    shell = Shell(
        console, languages, lambda console: make_pages(console, languages, stage.program), has_tray=False
    )
    shell.window.resize(WIDTH, HEIGHT)
    shell.show()
    yield shell, console, theme, languages
    shell.dismiss()
    client.close()


# --- what happened before ----------------------------------------------------------------------------------------


def _make_history(stage: Stage, clock: ShiftedClock) -> dict[str, RuleId]:
    """Let the rules run for some days, with a failure now and then."""
    tonight = datetime.now(UTC).replace(hour=22, minute=0, second=0, microsecond=0)
    clock.back = datetime.now(UTC) - (tonight - timedelta(days=_DAYS))
    rules = stage.create_rules()
    for day in range(_DAYS, 0, -1):
        clock.back = datetime.now(UTC) - (tonight - timedelta(days=day))
        kind = BackupKind.FULL if day in (_DAYS, _DAYS - 7) else BackupKind.INCREMENTAL
        if day in (9, 4):
            stage.run(rules["web"], kind)
            _fail_snapshot(stage)
            stage.run(rules["office"], kind)
        _write_in_guests(stage, day)
        for rule in rules.values():
            stage.run(rule, kind)
    clock.back = timedelta()
    _write_in_guests(stage, 0)
    _fail_snapshot(stage)
    stage.run(rules["office"], BackupKind.INCREMENTAL)
    stage.run(rules["databases"], BackupKind.DIFFERENTIAL)
    return rules


def _write_in_guests(stage: Stage, day: int) -> None:
    """Let a day's changes happen: less at weekends, and not the same every day."""
    for place, name in enumerate(name for names in RULES.values() for name in names):
        stage.simulator.world.guests.write_now(name, (2 + (day * 5 + place * 3) % 11) * MIB)


def _fail_snapshot(stage: Stage) -> None:
    """Let the next snapshot fail, by whichever call it is made."""
    for method in ("CreateSnapshot_Task", "CreateSnapshotEx_Task"):
        stage.simulator.faults.fail_call(
            method, fault=lambda: vim.fault.TooManySnapshotLevels(msg="Snapshot hierarchy is too deep.")
        )


def _prove_some(on: Set) -> None:
    """Prove the newest points of two VMs of each rule; where no VM can be started here, by their file systems."""
    engine = on.stage.engine
    for names, rule in zip(RULES.values(), on.rules.values(), strict=True):
        for name in names[:2]:
            known = engine.ask(ListVmPoints(rule=rule, vm=on.vm(name)))[0]
            engine.execute(StartProof(standby=known.standby, target_path=known.target_path, point=known.point.id))
    wait_for(lambda: engine.wait_until_idle(0.05), seconds=300)


def _restore_one(on: Set) -> None:
    """Bring a VM back as a new one, as an operator does."""
    dialog = RestoreDialog(on.console, rule=on.rules["web"], vm=on.vm("web-01"), parent=on.shell.window)
    dialog.open()
    wait_for(lambda: bool(dialog.source.points.rows.rows), seconds=20)
    dialog.source.points.selectRow(0)
    wait_for(lambda: dialog.target.host.count() > 1, seconds=20)
    dialog.target.host.setCurrentIndex(1)
    let_live(500)
    queued: list[str] = []
    dialog.queued.connect(queued.append)
    dialog.accept()
    wait_for(lambda: bool(queued), seconds=20)
    wait_for(lambda: on.stage.engine.wait_until_idle(0.05), seconds=60)


def _keep_running(stage: Stage, rules: dict[str, RuleId]) -> None:
    """Start full backups of the rules that are idle; data moves slowly enough to be looked at."""

    def running() -> tuple[TaskRow, ...]:
        return stage.engine.ask(ListTasks(limit=8, states=(TaskState.RUNNING, TaskState.CHECKING_DATA)))

    busy = {row.rule for row in running()}
    for name in ("web", "databases"):
        if rules[name] not in busy:
            stage.engine.execute(RunNow(rule=rules[name], kind=BackupKind.FULL))

    def is_under_way() -> bool:
        parts = [row.progress.fraction for row in running() if row.state is TaskState.RUNNING]
        return bool(parts) and min(parts) > _UNDER_WAY

    wait_for(is_under_way, seconds=90)


# --- the first start ---------------------------------------------------------------------------------------------


def _take_welcome(stage: Stage, folder: Path, language: Language, colours: Theme) -> None:
    """Take the picture of a first start, on an engine of its own that knows nothing yet."""
    with tempfile.TemporaryDirectory(prefix="standfast-") as root:
        installation = Installation.find(folders_in(Path(root)))
        secrets = EncryptedFileSecretStore(installation.folders.data / "secrets", lambda: "a long passphrase")
        with (
            EngineHost.open(installation, secrets=secrets, runner=QtTaskRunner()) as host,
            _window(stage, LocalClient(host.engine), "welcome") as (shell, _, theme, languages),
        ):
            theme.choose(colours)
            languages.choose(language)
            shell.window.resize(WIDTH, HEIGHT)
            let_live(_WELCOME_MS)
            _save(shell.window, folder, "welcome", language, colours)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
