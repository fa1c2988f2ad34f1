from dataclasses import replace
from datetime import UTC, datetime

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFrame, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from app.contract.doctor import ExaminePlatform, Finding, Severity
from app.contract.errors import ErrorRow
from app.contract.platforms import (
    Certificate,
    InspectServer,
    ListPlatformRows,
    PlatformRow,
    RegisterPlatform,
    RemovePlatform,
    TryPlatform,
    UpdatePlatform,
)
from app.contract.tasks import StartConsolidation
from app.domain.errors import LoginRefused
from app.domain.ids import PlatformId, TaskId, VmId
from app.domain.platforms import Platform, PlatformFacts, PlatformKind
from app.views.console import Console
from app.views.platforms.dialog import PlatformDialog
from app.views.platforms.page import PlatformsPage
from app.views.translation import Language, LanguageSwitch
from app.views.widgets.confirm import ConfirmDialog
from app.views.widgets.findings import FindingsDialog
from app.views.words import error_hint, error_message
from tests.support.scripted_door import ScriptedDoor

THUMBPRINT = ":".join(["AB"] * 32)
FACTS = PlatformFacts(
    kind=PlatformKind.VCENTER,
    full_name="VMware vCenter Server 8.0.3",
    version="8.0.3",
    api_version="8.0.3.0",
    build="24022515",
    instance_uuid="u-1",
)
CERTIFICATE = Certificate(
    thumbprint_sha256=THUMBPRINT,
    subject="vc-1.example.com",
    issuer="VMCA",
    not_before=datetime(2026, 1, 1, tzinfo=UTC),
    not_after=datetime(2028, 1, 1, tzinfo=UTC),
    trusted_by_ca=False,
)


def row(name: str = "vc-1", *, reachable: bool | None = True) -> PlatformRow:
    platform = Platform(
        id=PlatformId(name), name=name, address=f"{name}.example.com", user="backup", thumbprint_sha256=THUMBPRINT
    )
    return PlatformRow(
        platform=platform,
        facts=FACTS,
        reachable=reachable,
        checked_at=datetime.now(UTC),
        error=None,
        vm_count=120,
        rule_count=4,
        license_name="Enterprise Plus",
    )


def open_page(qtbot: QtBot, console: Console) -> PlatformsPage:
    page = PlatformsPage(console)
    qtbot.addWidget(page)
    page.resize(1200, 600)
    page.show()
    page.open(())
    return page


def open_dialog(qtbot: QtBot, console: Console, door: ScriptedDoor) -> PlatformDialog:
    door.answer(InspectServer, CERTIFICATE)
    dialog = PlatformDialog(console, None)
    qtbot.addWidget(dialog)
    dialog.open()
    for field, text in (
        (dialog.name, "vc-1"),
        (dialog.address, "vc-1.example.com"),
        (dialog.user, "backup"),
        (dialog.password, "s3cret-word"),
    ):
        field.setFocus()
        QTest.keyClicks(field, text)
    qtbot.waitUntil(lambda: dialog.confirmed.isVisible())
    return dialog


def test_the_list_shows_how_each_platform_is(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(ListPlatformRows, (row("vc-1"), row("esx-9", reachable=False)))
    page = open_page(qtbot, console)
    qtbot.waitUntil(lambda: len(page.table.shown_rows()) == 2)
    texts = [[page.table.model().index(place, column).data() for column in range(4)] for place in range(2)]
    assert texts == [
        ["vc-1", "Reachable", "vCenter", "vc-1.example.com:443"],
        ["esx-9", "Not reachable", "vCenter", "esx-9.example.com:443"],
    ]
    page.leave()


def test_why_a_platform_is_not_reachable_is_said_in_the_operators_language_with_what_to_do(
    qapp: QApplication, qtbot: QtBot, console: Console, door: ScriptedDoor, request: pytest.FixtureRequest
) -> None:
    language = LanguageSwitch(qapp, console.memory)
    request.addfinalizer(lambda: language.choose(Language.ENGLISH))
    language.choose(Language.CHINESE)
    error = LoginRefused(address="vc-1", user="backup")
    shown = ErrorRow(
        code=error.code,
        params=tuple(error.params.items()),
        template=error.message_template,
        hint_template=error.hint_template,
        retryable=error.retryable,
    )
    door.answer(ListPlatformRows, (replace(row(reachable=False), error=shown),))
    page = open_page(qtbot, console)
    qtbot.waitUntil(lambda: len(page.table.shown_rows()) == 1)
    tip = page.table.tip(page.table.model().index(0, 1))
    page.leave()
    assert tip.splitlines() == [error_message(error), error_hint(error)]
    assert tip.splitlines()[0] != error.message


def test_an_empty_list_offers_to_register_a_platform(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(ListPlatformRows, ())
    page = open_page(qtbot, console)
    qtbot.waitUntil(lambda: page.stages.currentWidget() is not page.table)
    page.stages.create_wanted.emit()
    assert page.findChild(PlatformDialog) is not None
    page.leave()


def test_a_platform_is_registered_once_its_certificate_is_confirmed(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = open_dialog(qtbot, console, door)
    door.answer(RegisterPlatform, row().platform)
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert not door.executed, "nothing is sent before the certificate is confirmed"
    QTest.keyClick(dialog.confirmed, Qt.Key.Key_Space)
    with qtbot.waitSignal(dialog.succeeded):
        QTest.keyClick(dialog, Qt.Key.Key_Return)
    (command,) = door.executed
    assert isinstance(command, RegisterPlatform)
    assert (command.name, command.address, command.port, command.user) == (
        "vc-1",
        "vc-1.example.com",
        443,
        "backup",
    )
    assert command.thumbprint_sha256 == THUMBPRINT
    assert "s3cret-word" not in repr(command)


def test_an_error_keeps_everything_typed(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    dialog = open_dialog(qtbot, console, door)
    door.answer(RegisterPlatform, LoginRefused(address="vc-1.example.com", user="backup"))
    QTest.keyClick(dialog.confirmed, Qt.Key.Key_Space)
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.banner.isVisible())
    assert dialog.isVisible()
    assert dialog.password.text() == "s3cret-word"
    assert dialog.primary.isEnabled()


def test_empty_fields_are_named_where_they_are(qtbot: QtBot, console: Console) -> None:
    dialog = PlatformDialog(console, None)
    qtbot.addWidget(dialog)
    dialog.open()
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    problems = [field.problem for field in dialog.problems()]
    assert problems == ["Enter a name.", "Enter the address.", "Enter the account.", "Enter the password."]
    assert dialog.isVisible()


def test_the_connection_can_be_tested_before_it_is_registered(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = open_dialog(qtbot, console, door)
    door.answer(TryPlatform, FACTS)
    QTest.keyClick(dialog.confirmed, Qt.Key.Key_Space)
    QTest.mouseClick(dialog.test, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Login works" in dialog.outcome.text())
    assert "VMware vCenter Server 8.0.3" in dialog.outcome.text()


def test_a_login_that_works_is_said_of_what_is_entered_only(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = open_dialog(qtbot, console, door)
    door.answer(TryPlatform, FACTS)
    QTest.keyClick(dialog.confirmed, Qt.Key.Key_Space)
    QTest.mouseClick(dialog.test, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Login works" in dialog.outcome.text())
    QTest.keyClicks(dialog.password, "x")
    assert dialog.outcome.text() == ""
    gate = door.hold(TryPlatform)
    QTest.mouseClick(dialog.test, Qt.MouseButton.LeftButton)
    assert dialog.outcome.text() == "Logging in…"
    QTest.keyClicks(dialog.user, "y")
    gate.set()
    qtbot.waitUntil(dialog.test.isEnabled)
    assert dialog.outcome.text() == ""


def test_deleting_shows_what_goes_first(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(ListPlatformRows, (row(),))
    door.answer(RemovePlatform, None)
    page = open_page(qtbot, console)
    qtbot.waitUntil(lambda: len(page.table.shown_rows()) == 1)
    page.on_delete()
    dialog = page.findChild(ConfirmDialog)
    assert isinstance(dialog, ConfirmDialog)
    with qtbot.waitSignal(dialog.succeeded):
        QTest.keyClick(dialog, Qt.Key.Key_Return)
    assert door.executed == [RemovePlatform(platform=PlatformId("vc-1"))]
    page.leave()


def test_the_doctors_findings_come_worst_first(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    def finding(severity: Severity, message: str) -> Finding:
        return Finding(
            severity=severity,
            subject="vc-1",
            code="doctor.x",
            params=(("n", "7"),),
            message=message,
            hint="Do {n}.",
        )

    door.answer(ExaminePlatform, (finding(Severity.OK, "Fine {n}"), finding(Severity.ERROR, "Bad {n}")))
    dialog = FindingsDialog(console, "Examine vc-1", ExaminePlatform(platform=PlatformId("vc-1")))
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: "2 things" in dialog.summary.text())
    cards = [frame for frame in dialog.findChildren(QFrame) if frame.property("role") == "card"]
    assert [card.findChildren(QLabel)[1].text() for card in cards] == ["Bad 7", "Fine 7"]


def test_a_finding_with_a_remedy_offers_it_and_asks_before(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    remedy = StartConsolidation(platform=PlatformId("vc-1"), vm=VmId("vm-7"), vm_name="web-01")
    found = Finding(
        severity=Severity.WARNING,
        subject="web-01",
        code="doctor.needs_consolidation",
        params=(),
        message="The disks need consolidation",
        hint="Do it.",
        remedy=remedy,
    )
    door.answer(ExaminePlatform, (found,))
    door.answer(StartConsolidation, TaskId("t"))
    dialog = FindingsDialog(console, "Examine vc-1", ExaminePlatform(platform=PlatformId("vc-1")))
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: "1 thing" in dialog.summary.text())
    [button] = [
        button for button in dialog.findChildren(QPushButton) if button.text().startswith("Consolidate the disks")
    ]
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    question = dialog.findChild(ConfirmDialog)
    assert question is not None
    assert door.executed == []
    with qtbot.waitSignal(question.succeeded):
        QTest.mouseClick(question.primary, Qt.MouseButton.LeftButton)
    assert door.executed == [remedy]
    assert not button.isEnabled()


def test_plain_transport_is_off_until_it_is_chosen(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    known = Platform(
        id=PlatformId("p1"), name="vc-1", address="vc-1.example.com", user="backup", thumbprint_sha256=THUMBPRINT
    )
    door.answer(UpdatePlatform, known)
    assert not PlatformDialog(console, None).plain.isChecked()
    dialog = PlatformDialog(console, known)
    qtbot.addWidget(dialog)
    dialog.show()
    assert not dialog.plain.isChecked()
    QTest.mouseClick(dialog.plain, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(dialog.accepted):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    (command,) = [sent for sent in door.executed if isinstance(sent, UpdatePlatform)]
    assert command.allows_plain_transport
