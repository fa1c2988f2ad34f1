"""The order of a platform's transport modes, and what a probe says of each."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QTreeWidget
from pytestqt.qtbot import QtBot

from app.contract.errors import ErrorRow
from app.contract.platforms import ListPlatformRows
from app.contract.transports import ProbedDisk, ProbedMode, ProbeTransports, SetTransports
from app.domain.errors import NoTransportAvailable
from app.domain.messages import listed
from app.domain.states import TransportMode
from app.domain.transports import BEST_FIRST
from app.engine.platforms.errors import NothingToProbe
from app.transport import messages
from app.views.console import Console
from app.views.platforms.transports import TransportsDialog
from app.views.translation import Language, LanguageSwitch
from app.views.words import error_message
from tests.gui.platforms.test_platforms import open_page, row
from tests.support.latin import scraps
from tests.support.scripted_door import ScriptedDoor

REFUSED = NoTransportAvailable(
    path="[ds1] web/web.vmdk", reasons=listed([messages.VDDK_NOT_INSTALLED.fill(mode="SAN")])
)
PROBED = ProbedDisk(
    vm_name="web-01",
    disk="Hard disk 1",
    path="[ds1] web/web.vmdk",
    modes=(
        ProbedMode(mode=TransportMode.SAN, error=ErrorRow.of(REFUSED)),
        ProbedMode(mode=TransportMode.NFC_SSL, bytes_per_s=87_000_000),
    ),
)


def opened(qtbot: QtBot, console: Console) -> TransportsDialog:
    dialog = TransportsDialog(console, row())
    qtbot.addWidget(dialog)
    dialog.open()
    return dialog


def texts(dialog: TransportsDialog) -> dict[str, tuple[str, str]]:
    [tree] = dialog.findChildren(QTreeWidget)
    items = [tree.topLevelItem(index) for index in range(tree.topLevelItemCount())]
    return {item.text(0): (item.text(1), item.text(2)) for item in items if item is not None}


def test_the_page_leads_to_the_modes(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(ListPlatformRows, (row(),))
    page = open_page(qtbot, console)
    qtbot.waitUntil(lambda: len(page.table.shown_rows()) == 1)
    page.table.selectRow(0)
    page.transports.click()
    [dialog] = page.findChildren(TransportsDialog)
    assert list(texts(dialog)) == ["SAN", "HotAdd", "Direct NFS", "NFC-TLS", "NFC", "HTTPS"]
    assert texts(dialog)["Direct NFS"][1] == "LAN-free way, unencrypted"
    dialog.reject()
    page.leave()


def test_an_order_is_made_with_the_mouse_and_saved(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(SetTransports, row().platform)
    dialog = opened(qtbot, console)
    assert not dialog.up.isEnabled(), "the first one cannot come earlier"
    QTest.mouseClick(dialog.down, Qt.MouseButton.LeftButton)
    QTest.mouseClick(dialog.down, Qt.MouseButton.LeftButton)
    assert dialog.order[:3] == (TransportMode.HOTADD, TransportMode.NFS, TransportMode.SAN)
    QTest.mouseClick(dialog.up, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(dialog.succeeded):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    [command] = door.executed
    assert isinstance(command, SetTransports)
    assert command.transports == (TransportMode.HOTADD, TransportMode.SAN, *BEST_FIRST[2:])


def test_a_probe_says_what_works_how_fast_and_why_not(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(ProbeTransports, PROBED)
    dialog = opened(qtbot, console)
    QTest.mouseClick(dialog.probe, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Hard disk 1 of web-01" in dialog.outcome.text())
    assert texts(dialog)["NFC-TLS"] == ("87.0 MB/s", "works")
    assert texts(dialog)["SAN"][1].startswith("SAN is not used: it needs VMware's VDDK")


def test_a_platform_without_a_still_disk_says_so(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(ProbeTransports, NothingToProbe(name="vc-1"))
    dialog = opened(qtbot, console)
    QTest.mouseClick(dialog.probe, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(dialog.banner.isVisible)
    assert dialog.probe.isEnabled()
    assert dialog.banner.title == error_message(NothingToProbe(name="vc-1"))


def test_it_speaks_chinese(
    qapp: QApplication,
    qtbot: QtBot,
    console: Console,
    door: ScriptedDoor,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    language = LanguageSwitch(qapp, console.memory)
    request.addfinalizer(lambda: language.choose(Language.ENGLISH))
    language.choose(Language.CHINESE)
    door.answer(ProbeTransports, PROBED)
    dialog = opened(qtbot, console)
    QTest.mouseClick(dialog.probe, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "web-01" in dialog.outcome.text())
    assert "直连NFS" in texts(dialog)
    assert not scraps(" ".join(second for _, second in texts(dialog).values()))
    assert dialog.grab().save(str(tmp_path / "transports.png"))
