"""The dialogs about platforms and standby machines, each with the clicks that lead there."""

from datetime import UTC, datetime

from PySide6.QtWidgets import QWidget

from app.contract.encryption import DescribeEncryption, EncryptionRow, RecoverySheet, RepositoryKeysRow
from app.contract.pins import ListPins
from app.domain.standbys import EncryptionMode
from app.views.platforms.dialog import PlatformDialog
from app.views.platforms.transports import TransportsDialog
from app.views.standbys.dialog import StandbyDialog
from app.views.standbys.encryption import EncryptDialog, EncryptionDialog, UnlockDialog
from app.views.standbys.encryption import PassphraseDialog as StandbyPassphraseDialog
from app.views.standbys.pins import PinsDialog
from app.views.standbys.recovery import RecoverySheetDialog
from app.views.widgets.confirm import ConfirmDialog
from tests.gui.backup import samples
from tests.gui.fit import world
from tests.gui.fit.scene import Place, Scene
from tests.gui.platforms import test_platforms as platforms

OPEN_KEYS = RepositoryKeysRow(target_path="rules/web", is_open=True, recovery_keys=2, error=None)
LOCKED_KEYS = RepositoryKeysRow(target_path="rules/databases", is_open=False, recovery_keys=None, error=None)


def platform(scene: Scene) -> QWidget:
    dialog = PlatformDialog(scene.console, None, scene.shell.window)
    scene.dialog(dialog)
    dialog.address.setText("vcenter-production.shanghai.example.com")
    dialog.address.editingFinished.emit()
    scene.settle()
    return dialog


def wrong_platform(scene: Scene) -> QWidget:
    dialog = platform(scene)
    assert isinstance(dialog, PlatformDialog)
    dialog.accept()
    scene.settle()
    return dialog


def known_platform(scene: Scene) -> QWidget:
    return scene.dialog(PlatformDialog(scene.console, platforms.row().platform, scene.shell.window))


def transports(scene: Scene) -> QWidget:
    dialog = TransportsDialog(scene.console, platforms.row(), scene.shell.window)
    scene.dialog(dialog)
    dialog.probe.click()
    scene.settle()
    return dialog


def standby(scene: Scene) -> QWidget:
    dialog = StandbyDialog(scene.console, None, scene.shell.window)
    scene.dialog(dialog)
    dialog.accept()
    scene.settle()
    return dialog


def unlock(scene: Scene) -> QWidget:
    dialog = UnlockDialog(scene.console, samples.STANDBY_ROW, scene.shell.window)
    scene.dialog(dialog)
    dialog.accept()
    scene.settle()
    return dialog


def new_passphrase(kind: type[EncryptDialog] | type[StandbyPassphraseDialog]) -> Place:
    def show(scene: Scene) -> QWidget:
        dialog = kind(scene.console, samples.STANDBY_ROW, scene.shell.window)
        scene.dialog(dialog)
        dialog.accept()
        scene.settle()
        return dialog

    return show


def encryption(*repositories: RepositoryKeysRow, mode: EncryptionMode) -> Place:
    def show(scene: Scene) -> QWidget:
        row = EncryptionRow(mode=mode, passphrase_known=False, recovery_keys=1, repositories=repositories)
        scene.door.answer(DescribeEncryption, row)
        return scene.dialog(EncryptionDialog(scene.console, samples.STANDBY_ROW, scene.shell.window))

    return show


def recovery_key(scene: Scene) -> QWidget:
    sheet = RecoverySheet(
        key="-".join(["ABCDE"] * 11),
        standby_name="standby-a",
        root_path="/srv/backup/standby-a",
        made_at=datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
    )
    dialog = RecoverySheetDialog(scene.console, sheet, scene.shell.window)
    scene.dialog(dialog)
    dialog.reject()
    scene.settle()
    return dialog


def pins(scene: Scene) -> QWidget:
    return scene.dialog(PinsDialog(scene.console, samples.STANDBY, "standby-a", scene.shell.window))


def no_pins(scene: Scene) -> QWidget:
    scene.door.answer(ListPins, ())
    return pins(scene)


def ended_pin(number: int) -> Place:
    """The question before one of the pins is ended."""

    def show(scene: Scene) -> QWidget:
        dialog = pins(scene)
        assert isinstance(dialog, PinsDialog)
        row = world.PINS[number]
        dialog.table.select((row.target_path, row.id))
        dialog.end.click()
        return scene.newest(ConfirmDialog)

    return show
