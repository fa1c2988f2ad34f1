"""Disks over NBD by clicks: begun at a restore point, addresses copied, found again, and ended."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.contract.errors import EngineAway
from app.contract.offers import ListOffers, Offer, OfferedDisk, OfferPoint, WithdrawPoint
from app.contract.tasks import ListTasks
from app.domain.changes import Subject
from app.domain.engine_events import EngineFound, EngineLost
from app.nbd.errors import NbdSocketUnavailable
from app.views.console import Console
from app.views.restore.offer_dialog import OfferDialog
from app.views.restore.offers import OfferPlace
from app.views.restore.page import RestorePage
from app.views.widgets.clipboard import FORGET_MS, SecretClipboard
from app.views.widgets.confirm import ConfirmDialog
from tests.gui.keys import press_menu_key
from tests.gui.operator import settle
from tests.gui.restore.points import point
from tests.gui.restore.test_restore import open_dialog, open_page
from tests.support.scripted_door import ScriptedDoor

SINCE = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
SECRET = "0123456789abcdef" * 2
POINT = point()
PLACE = OfferPlace.of_point(POINT)


class Offers:
    """What is offered, as an engine has it."""

    def __init__(self, door: ScriptedDoor) -> None:
        self.door = door
        self.running: list[Offer] = []
        door.answer(ListOffers, lambda _: tuple(self.running))
        door.answer(OfferPoint, self._offer)
        door.answer(WithdrawPoint, self._withdraw)

    def _offer(self, command: OfferPoint) -> Offer:
        self.running.append(offer(over_tcp=command.over_tcp))
        return self.running[-1]

    def _withdraw(self, command: WithdrawPoint) -> None:
        self.running = [offer for offer in self.running if offer.point != command.point]

    def let_read(self, connections: int) -> None:
        """Let programs read the first disk of what is offered, or no more."""
        (offered,) = self.running
        first, *rest = offered.disks
        self.running = [replace(offered, disks=(replace(first, connections=connections), *rest))]
        self.door.change(Subject.OFFERS)


def offer(*, over_tcp: bool = False) -> Offer:
    def address(key: int) -> str:
        if over_tcp:
            return f"nbd://127.0.0.1:40123/{SECRET[:-4]}{key}"
        return f"nbd+unix:///{key}?socket=/run/user/1000/standfast-nbd-abcdefgh/nbd.sock"

    return Offer(
        standby=POINT.standby,
        target_path=POINT.target_path,
        point=POINT.point.id,
        vm_name=POINT.point.facts.name,
        point_at=POINT.point.created_at,
        since=SINCE,
        over_tcp=over_tcp,
        disks=tuple(
            OfferedDisk(
                key=disk.key, label=disk.label, capacity_bytes=disk.capacity_bytes, address=address(disk.key)
            )
            for disk in POINT.point.disks
        ),
    )


@pytest.fixture
def offers(door: ScriptedDoor) -> Offers:
    return Offers(door)


@pytest.fixture(autouse=True)
def empty_clipboard(qapp: QApplication) -> Iterator[None]:
    QGuiApplication.clipboard().clear()
    yield
    for found in qapp.findChildren(SecretClipboard):
        found.forget()
    QGuiApplication.clipboard().clear()


def click(button: QWidget) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def choose(owner: QWidget, text: str) -> None:
    """Take an entry of the menu that is open over a widget, by the keyboard."""
    menu = owner.findChildren(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly)[-1]
    (entry,) = (action for action in menu.actions() if action.text() == text)
    menu.setActiveAction(entry)
    QTest.keyClick(menu, Qt.Key.Key_Return)


def opened(qtbot: QtBot, console: Console) -> OfferDialog:
    """The dialog of the newest point of web-01, once it knows whether that is offered."""
    dialog = OfferDialog(console, PLACE, "web-01", POINT.point.created_at)
    qtbot.addWidget(dialog)
    dialog.open()
    settle(qtbot, console)
    return dialog


# --- the dialog ------------------------------------------------------------------------------------------------


def test_the_menu_of_a_point_leads_to_its_addresses(
    qtbot: QtBot, console: Console, door: ScriptedDoor, offers: Offers
) -> None:
    restore = open_dialog(qtbot, console, door)
    restore.source.points.selectRow(0)
    restore.source.points.setFocus()
    press_menu_key(restore.source.points)
    choose(restore.source, "Offer disks over NBD…")
    (dialog,) = restore.source.findChildren(OfferDialog)
    settle(qtbot, console)
    assert not dialog.disks.isVisible()
    assert not dialog.stop.isVisible()
    click(dialog.primary)
    qtbot.waitUntil(dialog.disks.isVisible)
    assert door.executed == [OfferPoint(standby=PLACE.standby, target_path=PLACE.target_path, point=PLACE.point)]
    assert [row.address.text() for row in dialog.rows.values()] == [disk.address for disk in offer().disks]
    assert {row.state.text for row in dialog.rows.values()} == {"Not read now"}
    assert not dialog.primary.isVisible()
    assert not dialog.over_tcp.isVisible()
    click(dialog.close_button)
    assert not dialog.isVisible()
    assert offers.running, "closing ends nothing"


def test_the_address_of_a_socket_is_copied_as_any_text(qtbot: QtBot, console: Console, offers: Offers) -> None:
    offers.running = [offer()]
    dialog = opened(qtbot, console)
    row = dialog.rows[2001]
    assert row.copy.accessibleName() == "Copy the address of Hard disk 2"
    click(row.copy)
    data = QGuiApplication.clipboard().mimeData()
    assert data.text() == offer().disks[1].address
    assert not data.hasFormat("x-kde-passwordManagerHint")
    assert dialog.banner.title == "The address is on the clipboard."


def test_an_address_over_tcp_leaves_the_clipboard_after_a_minute(
    qtbot: QtBot, qapp: QApplication, console: Console, door: ScriptedDoor, offers: Offers
) -> None:
    dialog = opened(qtbot, console)
    dialog.over_tcp.click()
    click(dialog.primary)
    qtbot.waitUntil(dialog.disks.isVisible)
    (command,) = door.executed
    assert isinstance(command, OfferPoint)
    assert command.over_tcp
    click(dialog.rows[2000].copy)
    data = QGuiApplication.clipboard().mimeData()
    assert data.text() == offer(over_tcp=True).disks[0].address
    assert bytes(data.data("x-kde-passwordManagerHint").data()) == b"secret"
    assert "after a minute" in dialog.banner.hint
    dialog.close()
    (keeper,) = qapp.findChildren(SecretClipboard)
    timer = keeper.findChild(QTimer)
    assert isinstance(timer, QTimer)
    assert timer.isActive()
    assert timer.interval() == FORGET_MS == 60_000
    timer.setInterval(10)  # the minute is over
    qtbot.waitUntil(lambda: QGuiApplication.clipboard().text() == "")
    timer.setInterval(FORGET_MS)


def test_a_secret_address_cannot_be_taken_with_the_mouse(qtbot: QtBot, console: Console, offers: Offers) -> None:
    offers.running = [offer(over_tcp=True)]
    dialog = opened(qtbot, console)
    flags = dialog.rows[2000].address.textInteractionFlags()
    assert flags & Qt.TextInteractionFlag.TextSelectableByMouse == Qt.TextInteractionFlag.NoTextInteraction


def test_the_dialog_shows_who_reads_now(qtbot: QtBot, console: Console, offers: Offers) -> None:
    offers.running = [offer()]
    dialog = opened(qtbot, console)
    rows = dialog.rows
    offers.let_read(1)
    qtbot.waitUntil(lambda: rows[2000].state.text == "Being read")
    assert rows[2001].state.text == "Not read now"
    assert dialog.rows == rows, "the lines stay, and with them the keyboard"
    offers.let_read(0)
    qtbot.waitUntil(lambda: rows[2000].state.text == "Not read now")


def test_what_is_not_read_is_stopped_at_once(
    qtbot: QtBot, console: Console, door: ScriptedDoor, offers: Offers
) -> None:
    offers.running = [offer()]
    dialog = opened(qtbot, console)
    click(dialog.stop)
    qtbot.waitUntil(dialog.primary.isVisible)
    assert offers.running == []
    assert dialog.rows == {}
    assert dialog.findChildren(ConfirmDialog) == []
    click(dialog.primary)
    qtbot.waitUntil(dialog.disks.isVisible)
    assert len(dialog.rows) == 2


def test_before_a_reader_is_cut_off_it_is_asked(qtbot: QtBot, console: Console, offers: Offers) -> None:
    offers.running = [offer()]
    offers.let_read(2)
    dialog = opened(qtbot, console)
    click(dialog.stop)
    (question,) = dialog.findChildren(ConfirmDialog)
    QTest.keyClick(question, Qt.Key.Key_Escape)
    assert offers.running
    click(dialog.stop)
    question = dialog.findChildren(ConfirmDialog)[-1]
    assert question.primary.text() == "Stop offering"
    click(question.primary)
    qtbot.waitUntil(dialog.primary.isVisible)
    assert offers.running == []


def test_what_ends_elsewhere_ends_in_the_dialog(qtbot: QtBot, console: Console, offers: Offers) -> None:
    offers.running = [offer()]
    dialog = opened(qtbot, console)
    offers.running = []
    offers.door.change(Subject.OFFERS)
    qtbot.waitUntil(dialog.primary.isVisible)
    assert dialog.banner.title == "The disks are not offered any more."


def test_a_refusal_is_shown_with_its_remedy(
    qtbot: QtBot, console: Console, door: ScriptedDoor, offers: Offers
) -> None:
    dialog = opened(qtbot, console)
    door.answer(OfferPoint, NbdSocketUnavailable(detail="No space left on device"))
    click(dialog.primary)
    qtbot.waitUntil(dialog.banner.isVisible)
    assert "No space left on device" in dialog.banner.title
    assert "TMPDIR" in dialog.banner.hint
    assert dialog.primary.isEnabled()


def test_while_the_engine_is_away_the_dialog_says_so_once(
    qtbot: QtBot, console: Console, door: ScriptedDoor, offers: Offers
) -> None:
    offers.running = [offer()]
    dialog = opened(qtbot, console)
    door.answer(ListOffers, EngineAway(detail="it was stopped"))
    door.publish(EngineLost(at=datetime.now(UTC)))
    qtbot.waitUntil(dialog.banner.isVisible)
    assert dialog.disks.isVisible()
    door.answer(ListOffers, lambda _: tuple(offers.running))
    door.publish(EngineFound(at=datetime.now(UTC), pid=2))
    qtbot.waitUntil(lambda: not dialog.banner.isVisible())


def test_why_offering_failed_stays_after_an_outage(
    qtbot: QtBot, console: Console, door: ScriptedDoor, offers: Offers
) -> None:
    dialog = opened(qtbot, console)
    door.answer(ListOffers, EngineAway(detail="it was stopped"))
    door.publish(EngineLost(at=datetime.now(UTC)))
    qtbot.waitUntil(dialog.banner.isVisible)
    door.answer(OfferPoint, NbdSocketUnavailable(detail="No space left on device"))
    click(dialog.primary)
    qtbot.waitUntil(lambda: "No space left" in dialog.banner.title)
    door.answer(ListOffers, ())
    asked = len(door.asked)
    door.publish(EngineFound(at=datetime.now(UTC), pid=2))
    qtbot.waitUntil(lambda: ListOffers() in door.asked[asked:])
    settle(qtbot, console)
    assert "No space left" in dialog.banner.title
    assert dialog.banner.isVisible()


def test_a_standby_that_hangs_does_not_hold_up_the_window(
    qtbot: QtBot, console: Console, door: ScriptedDoor, offers: Offers
) -> None:
    released = threading.Event()
    door.answer(OfferPoint, lambda _: released.wait(30) and offer())
    dialog = opened(qtbot, console)
    try:
        click(dialog.primary)
        assert not dialog.primary.isEnabled()
        qtbot.wait(50)
        click(dialog.close_button)
        assert not dialog.isVisible()
    finally:
        released.set()


# --- the list --------------------------------------------------------------------------------------------------


def open_offers(qtbot: QtBot, console: Console, door: ScriptedDoor) -> RestorePage:
    door.answer(ListTasks, ())
    page = open_page(qtbot, console, door, ("offers",))
    settle(qtbot, console)
    return page


def test_offers_are_found_and_stopped_on_the_page_of_restores(
    qtbot: QtBot, console: Console, door: ScriptedDoor, offers: Offers
) -> None:
    offers.running = [offer(over_tcp=True)]
    page = open_offers(qtbot, console, door)
    assert page.tabs.tabText(page.tabs.currentIndex()) == "Disks over NBD"
    model = page.offers.table.model()
    texts = [str(model.index(0, place).data()) for place in range(model.columnCount())]
    assert texts[:2] == ["web-01", "Not read now"]
    assert texts[3:6] == ["2", "140 GB", "TCP port"]
    assert not any(SECRET[:8] in text for text in texts)
    assert page.stop.isEnabled()
    click(page.stop)
    qtbot.waitUntil(lambda: not page.offers.table.rows.rows)
    assert offers.running == []
    assert not page.stop.isEnabled()
    page.leave()


def test_addresses_are_shown_again_from_the_list(
    qtbot: QtBot, console: Console, door: ScriptedDoor, offers: Offers
) -> None:
    offers.running = [offer()]
    page = open_offers(qtbot, console, door)
    click(page.details)
    dialog = page.offers.findChildren(OfferDialog)[-1]
    qtbot.waitUntil(dialog.disks.isVisible)
    click(dialog.stop)
    qtbot.waitUntil(lambda: not page.offers.table.rows.rows)
    dialog.close()
    page.leave()


def test_the_menu_of_an_offer_stops_it(qtbot: QtBot, console: Console, door: ScriptedDoor, offers: Offers) -> None:
    offers.running = [offer()]
    offers.let_read(1)
    page = open_offers(qtbot, console, door)
    page.offers.table.setFocus()
    press_menu_key(page.offers.table)
    choose(page.offers, "Stop offering")
    (question,) = page.offers.findChildren(ConfirmDialog)
    click(question.primary)
    qtbot.waitUntil(lambda: not page.offers.table.rows.rows)
    page.leave()


def test_without_offers_the_list_says_how_to_make_one(
    qtbot: QtBot, console: Console, door: ScriptedDoor, offers: Offers
) -> None:
    page = open_offers(qtbot, console, door)
    assert not page.offers.table.isVisible()
    assert not page.stop.isEnabled()
    assert not page.details.isEnabled()
    page.tabs.setCurrentIndex(0)
    asked = len([query for query in door.asked if isinstance(query, ListOffers)])
    qtbot.wait(1200)
    assert len([query for query in door.asked if isinstance(query, ListOffers)]) == asked, "it is not in sight"
    page.leave()


def test_buttons_that_copy_have_names_of_their_own(qtbot: QtBot, console: Console, offers: Offers) -> None:
    offers.running = [offer()]
    dialog = opened(qtbot, console)
    names = [button.accessibleName() for button in dialog.disks.findChildren(QPushButton)]
    assert len(set(names)) == len(names) == 2
