"""What an operator does in the dialog of an instant recovery."""

from pytestqt.qtbot import QtBot

from app.contract.instant import (
    InstantMember,
    StartInstantRecovery,
)
from app.domain.ids import VmId
from app.domain.vms import VmPlacement
from app.views.console import Console
from app.views.restore.instant.dialog import InstantDialog
from tests.gui.operator import settle
from tests.gui.restore.points import RULE, point
from tests.gui.restore.test_restore import WEB
from tests.gui.tasks.rows import STANDBY
from tests.support.scripted_door import ScriptedDoor


def opened(qtbot: QtBot, console: Console, *, vm: VmId | None = WEB) -> InstantDialog:
    """The dialog of a VM of the rule, or of all its VMs, once all is there."""
    dialog = InstantDialog(console, rule=RULE.id, vm=vm)
    qtbot.addWidget(dialog)
    dialog.open()
    settle(qtbot, console)
    return dialog


def chosen(qtbot: QtBot, console: Console, number: int = 0) -> InstantDialog:
    """The dialog of a VM with one of its points chosen."""
    dialog = opened(qtbot, console)
    dialog.source.one.points.selectRow(number)
    settle(qtbot, console)
    return dialog


def sent(door: ScriptedDoor) -> StartInstantRecovery:
    (command,) = door.executed
    assert isinstance(command, StartInstantRecovery)
    return command


def member(name: str, number: int = 0, **placement: object) -> InstantMember:
    vm = name.removesuffix("-instant")
    return InstantMember(
        standby=STANDBY.id,
        target_path="prod",
        point=point(vm, number).point.id,
        placement=VmPlacement(name=name, **placement),  # type: ignore[arg-type]
    )
