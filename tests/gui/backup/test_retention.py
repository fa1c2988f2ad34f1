"""What is kept beyond the documented period: by number, and a point a day, week, month and year."""

from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QSpinBox
from pytestqt.qtbot import QtBot

from app.cli.demo.stage import open_stage
from app.contract.errors import EngineAway
from app.contract.platforms import ListVms
from app.contract.reasons import LOST
from app.contract.rules import (
    ChangeRulePolicy,
    CreateRule,
    DescribeRule,
    OneTime,
    Periodic,
    PreviewedDay,
    PreviewRetention,
    RuleDraft,
    VmChoice,
)
from app.domain.policies import GrandfatherFatherSon, OneTimePolicy, PeriodicPolicy, Plan, PolicyUnit, Retention
from app.domain.states import BackupKind
from app.views.backup.editor import EditorMode, RuleEditor
from app.views.backup.policy_words import kept_words, policy_words, retention_words
from app.views.console import Console, ThemeSwitch
from app.views.frame.memory import Memory
from app.views.translation import Language, LanguageSwitch
from tests.gui.backup.steps import open_editor, press
from tests.gui.operator import settle
from tests.support.local_line import LocalClient
from tests.support.scripted_door import ScriptedDoor
from tests.support.stage import small_spec

GFS = GrandfatherFatherSon(days=7, weeks=4, months=12, years=3)
DAILY = Plan(unit=PolicyUnit.DAILY, kind=BackupKind.INCREMENTAL, times=(time(22, 0),))


def type_number(spin: QSpinBox, number: int) -> None:
    spin.setFocus()
    spin.selectAll()
    QTest.keyClicks(spin, str(number))


def test_the_documented_period_comes_first_and_the_rest_is_off(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CREATE)
    policy = editor.policy
    editor.tabs.setCurrentWidget(policy)
    assert (policy.period.value(), policy.newest.value(), policy.gfs.on.isChecked()) == (30, 0, False)
    assert not policy.gfs.days.isEnabled()
    entered = policy.policy
    assert isinstance(entered, Periodic)
    assert entered.policy.retention == Retention()
    places = [
        field.mapTo(policy, field.rect().topLeft()).y() for field in (policy.fields["retention"], policy.gfs)
    ]
    assert places == sorted(places)


def test_generations_are_entered_previewed_and_saved(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(ChangeRulePolicy, None)
    editor = open_editor(qtbot, console, door, EditorMode.CHANGE_POLICY)
    policy = editor.policy
    press(policy.gfs.on)
    type_number(policy.gfs.weeks, 6)
    type_number(policy.newest, 5)
    wanted = replace(GFS, weeks=6)

    def asked() -> bool:
        queries = [query for query in door.asked if isinstance(query, PreviewRetention)]
        last = queries[-1].policy if queries else None
        return isinstance(last, Periodic) and last.policy.retention.gfs == wanted

    qtbot.waitUntil(asked)
    with qtbot.waitSignal(editor.succeeded):
        QTest.mouseClick(editor.primary, Qt.MouseButton.LeftButton)
    (command,) = door.executed
    assert isinstance(command, ChangeRulePolicy)
    assert isinstance(command.policy, Periodic)
    assert command.policy.policy.retention == Retention(
        period=5, unit=PolicyUnit.WEEKLY, keep_newest=5, gfs=wanted
    )


def test_the_preview_of_a_former_policy_is_not_shown(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    policy = open_editor(qtbot, console, door, EditorMode.CHANGE_POLICY).policy

    def period(query: PreviewRetention) -> int:
        assert isinstance(query.policy, Periodic)
        return query.policy.policy.retention.period

    def preview(query: PreviewRetention) -> tuple[PreviewedDay, ...]:
        return (PreviewedDay(day=date(2026, 1, period(query)), runs=(), points=(), removed_count=0),)

    door.answer(PreviewRetention, preview)
    gate = door.hold(PreviewRetention, lambda query: period(query) == 2)
    type_number(policy.period, 2)
    qtbot.waitUntil(
        lambda: any(isinstance(query, PreviewRetention) and period(query) == 2 for query in door.asked)
    )
    type_number(policy.period, 3)
    qtbot.waitUntil(lambda: [day.day.day for day in policy.calendar.grid.days] == [3])
    gate.set()
    settle(qtbot, console)
    assert [day.day.day for day in policy.calendar.grid.days] == [3]


def test_a_former_policy_without_a_preview_does_not_hide_that_of_the_present_one(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    policy = open_editor(qtbot, console, door, EditorMode.CHANGE_POLICY).policy

    def is_former(query: PreviewRetention) -> bool:
        assert isinstance(query.policy, Periodic)
        return query.policy.policy.retention.period == 2

    def preview(query: PreviewRetention) -> tuple[PreviewedDay, ...]:
        if is_former(query):
            raise EngineAway(detail=LOST)
        return (PreviewedDay(day=date(2026, 1, 3), runs=(), points=(), removed_count=0),)

    door.answer(PreviewRetention, preview)
    gate = door.hold(PreviewRetention, is_former)
    type_number(policy.period, 2)
    qtbot.waitUntil(lambda: any(isinstance(query, PreviewRetention) and is_former(query) for query in door.asked))
    type_number(policy.period, 3)
    qtbot.waitUntil(lambda: [day.day.day for day in policy.calendar.grid.days] == [3])
    gate.set()
    settle(qtbot, console)
    assert not policy.calendar.isHidden()


@pytest.mark.parametrize(("name", "number"), [("newest", 1001), ("gfs", 9999)])
def test_too_large_a_number_is_shown_below_its_field_and_stays(
    qtbot: QtBot, console: Console, door: ScriptedDoor, name: str, number: int
) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CHANGE_POLICY)
    policy = editor.policy
    press(policy.gfs.on)
    spin = policy.newest if name == "newest" else policy.gfs.months
    type_number(spin, number)
    QTest.mouseClick(editor.primary, Qt.MouseButton.LeftButton)
    shown = {key: field.problem for key, field in policy.fields.items() if field.problem}
    assert shown == {name: "Enter a whole number from 0 to 1000."}
    assert spin.value() == number
    assert editor.isVisible()
    assert door.executed == []


def test_switching_generations_off_forgets_their_numbers_only_in_the_policy(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CHANGE_POLICY)
    policy = editor.policy
    press(policy.gfs.on)
    type_number(policy.gfs.years, 9)
    press(policy.gfs.on)
    assert policy.gfs.kept == GrandfatherFatherSon()
    press(policy.gfs.on)
    assert policy.gfs.kept == replace(GFS, years=9)


@pytest.mark.parametrize(
    ("retention", "english", "chinese"),
    [
        (Retention(period=30), "Points stay for 30 days", "备份点保留 30 天"),
        (
            Retention(period=4, unit=PolicyUnit.QUARTERLY, keep_newest=3, gfs=GFS),
            "Points stay for 4 quarters; the newest 3 stay in any case; "
            "one point stays for each of the last 7 days, 4 weeks, 12 months, 3 years",
            "备份点保留 4 季；最新的 3 个始终保留；最近 7 天、4 周、12 个月、3 年 每个周期另保留一个",
        ),
    ],
)
def test_retention_is_shown_as_words(
    qapp: QApplication, console: Console, retention: Retention, english: str, chinese: str
) -> None:
    assert retention_words(retention) == english
    switch = LanguageSwitch(qapp, console.memory)
    switch.choose(Language.CHINESE)
    try:
        assert retention_words(retention) == chinese
    finally:
        switch.choose(Language.ENGLISH)


def test_a_policy_is_shown_as_words() -> None:
    periodic = Periodic(policy=PeriodicPolicy(plans=(DAILY, replace(DAILY, kind=BackupKind.FULL))))
    assert policy_words(periodic) == "Every day at 22:00 (Incremental); Every day at 22:00 (Full)"
    once = OneTime(policy=OneTimePolicy(start=datetime(2030, 1, 1, tzinfo=UTC)))
    assert policy_words(once).startswith("Once, on 20")
    assert kept_words(once) == "Its point stays until the rule goes"


def test_on_the_real_engine_what_was_saved_is_shown_again_and_described(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path
) -> None:
    with open_stage(tmp_path, small_spec()) as stage:
        (vm,) = stage.engine.ask(ListVms(platform=stage.platform))
        draft = RuleDraft(
            name="web",
            platform=stage.platform,
            standby=stage.standby,
            target_path="backup/web",
            vms=(VmChoice(vm=vm.id, name=vm.name),),
            policy=Periodic(policy=PeriodicPolicy(plans=(DAILY,))),
        )
        rule = stage.engine.execute(CreateRule(draft=draft))
        memory = Memory(tmp_path / "window.ini")
        client = LocalClient(stage.engine)
        console = Console(client, memory, ThemeSwitch(qapp, memory))
        editor = RuleEditor(console, EditorMode.CHANGE_POLICY, stage.engine.ask(DescribeRule(rule=rule)))
        qtbot.addWidget(editor)
        editor.open()
        qtbot.waitUntil(lambda: len(editor.policy.calendar.grid.days) > 80, timeout=20_000)
        before = len(editor.policy.calendar.grid.days[-1].points)
        type_number(editor.policy.period, 3)
        press(editor.policy.gfs.on)
        for spin, number in ((editor.policy.gfs.days, 0), (editor.policy.gfs.weeks, 10)):
            type_number(spin, number)
        qtbot.waitUntil(lambda: len(editor.policy.calendar.grid.days[-1].points) != before, timeout=20_000)
        # The newest of ten weeks, and three days of which the newest is one of them; months hold none older.
        assert len(editor.policy.calendar.grid.days[-1].points) in (12, 13, 14)
        with qtbot.waitSignal(editor.succeeded, timeout=20_000):
            QTest.mouseClick(editor.primary, Qt.MouseButton.LeftButton)
        details = stage.engine.ask(DescribeRule(rule=rule))
        again = RuleEditor(console, EditorMode.CHANGE_POLICY, details)
        qtbot.addWidget(again)
        assert again.policy.gfs.kept == GrandfatherFatherSon(days=0, weeks=10, months=12, years=3)
        assert again.policy.period.value() == 3
        assert details.row.policy is not None
        assert kept_words(details.row.policy) == (
            "Points stay for 3 days; one point stays for each of the last 10 weeks, 12 months, 3 years"
        )
        assert client.close()
