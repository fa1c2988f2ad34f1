"""Proving a point by hand, and looking at what a proof found."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QFileDialog, QLabel, QMenu, QWidget
from pytestqt.qtbot import QtBot

from app.contract.platforms import ListPlatforms
from app.contract.proofs import ListProofs, ProofPicture, ReadProofPicture, StartProof
from app.contract.restore import ListPlaces
from app.contract.rules import DescribeRule, ListRules
from app.contract.tasks import ListTasks
from app.domain.errors import OperationalError
from app.domain.ids import TaskId
from app.domain.proofs import ProofPolicy
from app.domain.states import TaskKind, TaskState
from app.views.backup.list_vms import VmList
from app.views.console import Console
from app.views.proof.result import ProofDialog
from app.views.proof.starting import ProveDialog
from app.views.restore.page import RestorePage
from app.views.tasks.page import TasksPage
from tests.gui.backup import samples
from tests.gui.keys import press_menu_key
from tests.gui.operator import settle
from tests.gui.proof.samples import POINTS, ROWS, console_picture, script_proofs
from tests.gui.proof.test_settings import choose
from tests.gui.restore.points import NEWEST, PLACES, RULE
from tests.gui.tasks.rows import PLATFORM, script_names, task
from tests.support.scripted_door import ScriptedDoor

LIMITS = ProofPolicy(limit_min=40, cpus=3, memory_mib=2048, host="esx09.lab")


@pytest.fixture
def proofs(door: ScriptedDoor) -> ScriptedDoor:
    """An engine that knows three proofs, and the rule of their points."""
    script_names(door)
    script_proofs(door, *ROWS)
    door.answer(ListPlatforms, (samples.PLATFORM_ROW.platform, PLATFORM))
    door.answer(ListPlaces, PLACES)
    door.answer(ListRules, (RULE,))
    door.answer(DescribeRule, replace(samples.DETAILS, draft=replace(samples.DRAFT, proof=LIMITS)))
    door.answer(ListTasks, ())
    return door


def proving(qtbot: QtBot, console: Console) -> ProveDialog:
    dialog = ProveDialog(console, POINTS)
    qtbot.addWidget(dialog)
    dialog.open()
    return dialog


def click(widget: object) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)  # type: ignore[call-overload]


def words_of(widget: QWidget) -> str:
    """All that is written on what is shown."""
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisible())


def started(door: ScriptedDoor) -> StartProof:
    (command,) = (command for command in door.executed if isinstance(command, StartProof))
    return command


# --- by hand -----------------------------------------------------------------------------------------------------


def test_a_proof_is_started_with_the_limits_of_its_rule(
    qtbot: QtBot, console: Console, proofs: ScriptedDoor
) -> None:
    dialog = proving(qtbot, console)
    qtbot.waitUntil(lambda: dialog.limits.minutes.value() == 40)
    assert dialog.place.host.currentText() == "esx09.lab"
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    known = POINTS[0]
    assert started(proofs) == StartProof(
        standby=known.standby,
        target_path=known.target_path,
        point=known.point.id,
        limit_min=40,
        cpus=3,
        memory_mib=2048,
    )


def test_what_was_entered_before_the_rule_answers_stays(
    qtbot: QtBot, console: Console, proofs: ScriptedDoor
) -> None:
    gate = proofs.hold(DescribeRule)
    dialog = proving(qtbot, console)
    dialog.limits.cpus.setValue(8)
    gate.set()
    settle(qtbot, console)
    assert (dialog.limits.cpus.value(), dialog.limits.minutes.value()) == (8, ProofPolicy().limit_min)


def test_another_point_on_another_platform_on_a_chosen_host(
    qtbot: QtBot, console: Console, proofs: ScriptedDoor
) -> None:
    dialog = proving(qtbot, console)
    qtbot.waitUntil(lambda: dialog.place.platform.count() == 3)
    settle(qtbot, console)
    dialog.point.setCurrentIndex(2)
    choose(dialog.place.platform, PLATFORM.id)
    settle(qtbot, console)
    assert dialog.place.host.currentIndex() == 0, "a host of the other platform is none of this one"
    choose(dialog.place.host, "esx01.lab")
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    command = started(proofs)
    assert (command.point, command.platform, command.host) == (POINTS[2].point.id, PLATFORM.id, "esx01.lab")


def test_limits_that_cannot_be_are_named_and_nothing_is_started(
    qtbot: QtBot, console: Console, proofs: ScriptedDoor
) -> None:
    dialog = proving(qtbot, console)
    settle(qtbot, console)
    dialog.limits.memory.setValue(130)
    click(dialog.primary)
    assert "multiple of 4 MB" in dialog.limits_field.problem
    assert proofs.executed == []


def test_a_refusal_of_the_engine_is_shown_and_all_stays(
    qtbot: QtBot, console: Console, proofs: ScriptedDoor
) -> None:
    proofs.answer(StartProof, OperationalError(detail="the point is gone"))
    dialog = proving(qtbot, console)
    click(dialog.primary)
    qtbot.waitUntil(dialog.banner.isVisible)
    assert dialog.isVisible()


def test_the_vms_of_a_rule_offer_it_in_their_menu(qtbot: QtBot, console: Console, proofs: ScriptedDoor) -> None:
    samples.fill(proofs)
    script_proofs(proofs, *ROWS)
    vms = VmList(console, samples.RULES[0].id)
    qtbot.addWidget(vms)
    vms.show()
    vms.open(())
    qtbot.waitUntil(lambda: len(vms.table.shown_rows()) == 3)
    (prove,) = vms.more_actions()
    assert [prove.enabled(row) for row in vms.table.shown_rows()] == [True, True, False]
    assert prove.run is not None
    prove.run(vms.table.shown_rows()[0])
    qtbot.waitUntil(lambda: bool(vms.findChildren(ProveDialog)))
    (dialog,) = vms.findChildren(ProveDialog)
    assert dialog.point.count() == len(POINTS)
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    qtbot.waitUntil(lambda: "was queued" in vms.banner.title)
    vms.leave()


# --- what was found ----------------------------------------------------------------------------------------------


def result(qtbot: QtBot, console: Console, number: int) -> ProofDialog:
    dialog = ProofDialog(console, ROWS[number])
    qtbot.addWidget(dialog)
    dialog.open()
    return dialog


def test_a_proof_that_failed_shows_its_reason_and_the_console(
    qtbot: QtBot, console: Console, proofs: ScriptedDoor
) -> None:
    dialog = result(qtbot, console, 0)
    assert dialog.state.text == "Not proven"
    assert dialog.reason.text() == (
        "Reason: the console stands still, but within 15 minutes no system wrote to the disks."
    )
    qtbot.waitUntil(lambda: not dialog.picture.picture.isNull())
    assert dialog.picture.picture.size().width() == 720
    assert dialog.picture.isVisible()
    row = ROWS[0]
    query = ReadProofPicture(standby=row.standby, target_path=row.target_path, point=row.point)
    assert query in proofs.asked


def test_the_picture_is_saved_as_it_came(
    qtbot: QtBot, console: Console, proofs: ScriptedDoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "console.png"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(file), ""))
    dialog = result(qtbot, console, 1)
    qtbot.waitUntil(dialog.save.isEnabled)
    click(dialog.save)
    qtbot.waitUntil(dialog.banner.isVisible)
    assert str(file) in dialog.banner.title
    assert file.read_bytes() == console_picture()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "no" / "folder.png"), ""))
    click(dialog.save)
    qtbot.waitUntil(lambda: "could not be written" in dialog.banner.title)


def test_a_proof_without_a_picture_asks_for_none(qtbot: QtBot, console: Console, proofs: ScriptedDoor) -> None:
    dialog = result(qtbot, console, 2)
    settle(qtbot, console)
    assert not dialog.card.isVisible()
    assert not dialog.save.isVisible()
    assert not any(isinstance(query, ReadProofPicture) for query in proofs.asked)


@pytest.mark.parametrize(
    ("answer", "words"),
    [(None, "another proof"), (ProofPicture(png=b"\x89PNG and no more", at=NEWEST), "cannot be read")],
)
def test_a_picture_that_is_gone_or_broken_is_said_to_be_so(
    qtbot: QtBot, console: Console, proofs: ScriptedDoor, answer: object, words: str
) -> None:
    proofs.answer(ReadProofPicture, answer)
    dialog = result(qtbot, console, 0)
    qtbot.waitUntil(lambda: dialog.stages.currentIndex() == 2)
    assert words in words_of(dialog.stages)
    assert not dialog.save.isEnabled()


# --- the list, and the task --------------------------------------------------------------------------------------


@pytest.fixture
def page(qtbot: QtBot, console: Console, proofs: ScriptedDoor) -> RestorePage:
    """The page with the list of proofs."""
    page = RestorePage(console)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.show()
    page.open(("proofs",))
    settle(qtbot, console)
    return page


def newest_dialog(owner: RestorePage | TasksPage) -> QDialog:
    return [dialog for dialog in owner.findChildren(QDialog) if dialog.isVisible()][-1]


def test_the_list_shows_each_proof_and_opens_its_result(qtbot: QtBot, console: Console, page: RestorePage) -> None:
    table = page.proofs.table
    assert page.tabs.tabText(page.tabs.currentIndex()) == "Proofs of restore"
    assert [row.proof for row in table.shown_rows()] == [row.proof for row in ROWS]
    assert not page.details.isEnabled()
    table.selectRow(1)
    assert page.details.isEnabled()
    assert not page.stop.isEnabled()
    click(page.details)
    assert isinstance(newest_dialog(page), ProofDialog)
    newest_dialog(page).close()
    page.toolbar.filter.setText("Readable")
    qtbot.waitUntil(lambda: len(table.shown_rows()) == 1)
    page.leave()


def test_a_point_is_proven_again_from_the_list(qtbot: QtBot, page: RestorePage, proofs: ScriptedDoor) -> None:
    page.proofs.table.selectRow(1)
    page.proofs.table.setFocus()
    press_menu_key(page.proofs.table)
    (menu,) = page.proofs.findChildren(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly)
    entries = {action.text(): action for action in menu.actions() if action.text()}
    entries["Prove again…"].trigger()
    menu.close()
    qtbot.waitUntil(lambda: bool(page.proofs.findChildren(ProveDialog)))
    dialog = page.proofs.findChildren(ProveDialog)[-1]
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    assert started(proofs).point == POINTS[1].point.id
    page.leave()


def test_before_the_first_proof_the_list_says_what_one_is(
    qtbot: QtBot, page: RestorePage, proofs: ScriptedDoor
) -> None:
    proofs.answer(ListProofs, ())
    page.refresh()
    qtbot.waitUntil(lambda: page.proofs.stages.currentIndex() == 2)
    assert "No restore point was tried yet" in words_of(page.proofs.stages)
    page.leave()


def test_the_task_of_a_proof_leads_to_its_result(qtbot: QtBot, console: Console, proofs: ScriptedDoor) -> None:
    ended = replace(task("p", TaskState.FAILED, kind=TaskKind.PROOF), id=TaskId("p"))
    later = replace(ended, id=TaskId("another"))
    backup = task("b", TaskState.COMPLETED)
    proofs.answer(ListTasks, (ended, later, backup))
    tasks = TasksPage(console)
    qtbot.addWidget(tasks)
    tasks.resize(1200, 700)
    tasks.show()
    tasks.open(())
    qtbot.waitUntil(lambda: len(tasks.table.shown_rows()) == 3)
    tasks.table.select(TaskId("b"))
    assert not tasks.proof.isVisible()
    tasks.table.select(TaskId("p"))
    assert tasks.proof.isVisible()
    click(tasks.proof)
    qtbot.waitUntil(lambda: bool(tasks.findChildren(ProofDialog)))
    newest_dialog(tasks).close()
    tasks.table.select(TaskId("another"))
    click(tasks.proof)
    qtbot.waitUntil(lambda: "a later proof has replaced it" in tasks.banner.title)
    tasks.leave()
