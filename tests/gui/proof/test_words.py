"""Where the badge of a proof stands, and what it says."""

from dataclasses import replace
from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.contract.rules import DescribeRule, ListRules, ListRuleVms, ListVmPoints
from app.domain.changes import Subject
from app.domain.proofs import ProofKind
from app.models.rows import PAINT_ROLE
from app.views.backup.list_vms import VmList
from app.views.backup.page import BackupPage
from app.views.backup.statistics import StatisticsView
from app.views.console import Console
from app.views.frame.history import Address
from app.views.frame.main_window import MainWindow
from app.views.overview.dashboard import Dashboard
from app.views.proof.words import proof_pill, proof_tip, rule_proof_columns, vm_proof_columns
from app.views.restore.dialog import RestoreDialog
from app.views.restore.points import point_facts, tried_title
from app.views.widgets.pill import Pill, Tone
from app.views.widgets.table import Table
from tests.gui.backup import samples
from tests.gui.fit.world import OVERVIEW
from tests.gui.proof.samples import BOOTS, POINTS, READABLE, SILENT, UNTRIED, script_proofs
from tests.gui.restore.points import RULE, point, script_points
from tests.support.scripted_door import ScriptedDoor

PROVEN = replace(samples.VMS[0], last_proven=samples.NOW - timedelta(days=1), last_proven_kind=ProofKind.BOOTS)
LATE = replace(samples.VMS[1], unproven_since=samples.NOW - timedelta(days=2))


def cell(table: Table[object], row: int, key: str, role: int = Qt.ItemDataRole.DisplayRole) -> object:
    keys = [column.key for column in table.rows.columns]
    return table.model().index(row, keys.index(key)).data(role)


def test_three_results_look_different_and_say_why() -> None:
    assert proof_pill(BOOTS) == Pill("Boots", Tone.COMPLETED)
    assert proof_pill(READABLE) == Pill("Readable", Tone.COMPLETED, outlined=True)
    assert proof_pill(SILENT) == Pill("Not proven", Tone.FAILED)
    assert "the tools in the guest report that the system runs" in proof_tip(BOOTS)
    assert "GPT, ext4, LVM2 (not started: the licence allows no NFS datastores)" in proof_tip(READABLE)
    assert "nothing showed that the VM can be used" in proof_tip(SILENT)


def test_a_point_that_is_chosen_by_its_title_says_what_its_proof_found() -> None:
    assert [tried_title(known).rpartition(" · ")[2] for known in POINTS] == ["Not proven", "Boots", "Readable"]
    assert tried_title(UNTRIED).endswith("Incremental")
    facts = dict(point_facts(POINTS[1]))
    assert facts["proof"].startswith("Boots: the tools in the guest report that the system runs (")
    assert dict(point_facts(UNTRIED))["proof"] == "—"


def test_a_badge_appears_at_a_point_when_its_proof_ends_while_it_is_looked_at(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    script_points(door)
    untried = tuple(point("web-01", number) for number in range(2))
    door.answer(ListVmPoints, untried)
    dialog = RestoreDialog(console, rule=RULE.id, vm=POINTS[0].point.facts.vm)
    qtbot.addWidget(dialog)
    dialog.open()
    table = dialog.source.points
    qtbot.waitUntil(lambda: len(table.rows.rows) == 2)
    table.selectRow(1)
    chosen: list[object] = []
    dialog.source.point_chosen.connect(chosen.append)
    assert cell(table, 1, "proof") == "—"  # type: ignore[arg-type]
    door.answer(ListVmPoints, (untried[0], replace(untried[1], proof=BOOTS)))
    door.change(Subject.POINTS)
    qtbot.waitUntil(lambda: cell(table, 1, "proof") == "Boots")  # type: ignore[arg-type]
    assert "the tools in the guest" in dialog.source.facts.toPlainText()
    assert dialog.source.point is not None
    assert dialog.source.point.proof == BOOTS
    assert chosen == [], "what was entered for the chosen point stays"


def test_the_rules_and_their_vms_say_when_they_were_last_proven_and_what_is_overdue(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    samples.fill(door)
    proven = replace(samples.RULES[0], last_proven=samples.NOW, last_proven_kind=ProofKind.STRUCTURE)
    late = replace(samples.RULES[1], unproven_vms=2)
    door.answer(ListRules, (proven, late, samples.RULES[2]))
    door.answer(ListRuleVms, (PROVEN, LATE, samples.VMS[2]))
    page = BackupPage(console)
    window = MainWindow(console, [page])
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    rules = page.rules.table
    qtbot.waitUntil(lambda: len(rules.shown_rows()) == 3)
    assert [cell(rules, row, "proof") for row in range(3)] == ["Readable", "Overdue", "—"]  # type: ignore[arg-type]
    assert cell(rules, 2, "proof", PAINT_ROLE) is None  # type: ignore[arg-type]
    badge = rule_proof_columns()[0]
    assert badge.tooltip(late) == "2 VMs of it have no proof as recent as the rule says."
    assert str(badge.tooltip(proven)).startswith("Last proven ")
    assert badge.tooltip(samples.RULES[2]) is None
    window.visit(Address("backup", (proven.id,)))
    vms = page.part
    assert isinstance(vms, VmList)
    qtbot.waitUntil(lambda: len(vms.table.shown_rows()) == 3)
    assert [cell(vms.table, row, "proof") for row in range(3)] == ["Boots", "Overdue", "—"]  # type: ignore[arg-type]
    assert not vms.table.isColumnHidden([column.key for column in vms.table.rows.columns].index("proof"))
    tip = str(vm_proof_columns()[0].tooltip(LATE))
    assert tip.startswith("A proof was expected by ")
    page.leave()


@pytest.mark.parametrize("of_vm", [True, False])
def test_the_statistics_say_it_too(qtbot: QtBot, console: Console, door: ScriptedDoor, *, of_vm: bool) -> None:
    samples.fill(door)
    row = replace(samples.RULES[0], last_proven=samples.NOW, last_proven_kind=ProofKind.BOOTS)
    door.answer(DescribeRule, replace(samples.DETAILS, row=row))
    door.answer(ListRuleVms, (PROVEN, LATE))
    view = StatisticsView(console, row.id, LATE.vm if of_vm else None)
    qtbot.addWidget(view)
    view.show()
    view.open(())
    wanted = ("Overdue", "A proof was expected by ") if of_vm else ("Boots", "Last proven ")
    qtbot.waitUntil(lambda: view.proof.text == wanted[0])
    assert view.proven.text().startswith(wanted[1])
    view.leave()


def test_statistics_without_a_proof_say_so(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    samples.fill(door)
    view = StatisticsView(console, samples.RULES[0].id, None)
    qtbot.addWidget(view)
    view.show()
    view.open(())
    qtbot.waitUntil(lambda: view.proven.text() == "No restore point was ever proven.")
    assert not view.proof.isVisible()
    view.leave()


def test_the_overview_counts_what_is_proven_and_leads_to_the_proofs(qtbot: QtBot, console: Console) -> None:
    dashboard = Dashboard(console)
    qtbot.addWidget(dashboard)
    dashboard.show()
    dashboard.show_overview(OVERVIEW)
    assert dashboard.proven.text() == "Proven: 1,004 VMs, of which 988 booted"
    titles = [entry.title for entry in dashboard.attention.entries()]
    assert "12 VMs have no proof of restore as recent as the rule says" in titles
    dashboard.show_overview(replace(OVERVIEW, proven_vms=0, booted_vms=0, unproven_count=0))
    assert not dashboard.proven.isVisible(), "nobody wanted proofs: nothing is said of them"


def test_points_are_answered_with_their_proofs(door: ScriptedDoor) -> None:
    script_proofs(door)
    known = door.ask(ListVmPoints(rule=RULE.id, vm=POINTS[0].point.facts.vm))
    assert [found.proof for found in known] == [SILENT, BOOTS, READABLE]
