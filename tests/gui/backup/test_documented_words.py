"""The page's words in Chinese, exactly as they are documented."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from app.domain.policies import PolicyUnit
from app.domain.states import BackupKind
from app.views.backup.editor import EditorMode, RuleEditor
from app.views.backup.list_runs import RunList
from app.views.backup.list_vms import VmList
from app.views.backup.page import BackupPage
from app.views.backup.plan_dialog import PlanDialog
from app.views.backup.policy_words import unit_word
from app.views.backup.statistics import StatisticsView
from app.views.console import Console
from app.views.frame.history import Address
from app.views.frame.main_window import MainWindow
from app.views.translation import Language, LanguageSwitch
from app.views.words import backup_kind_word
from tests.gui.backup import samples
from tests.gui.backup.steps import WEB, click_icon, headings, open_editor
from tests.support.scripted_door import ScriptedDoor


@pytest.fixture(autouse=True)
def _chinese(qapp: QApplication, console: Console) -> Iterator[None]:
    switch = LanguageSwitch(qapp, console.memory)
    switch.choose(Language.CHINESE)
    yield
    switch.choose(Language.ENGLISH)


@pytest.fixture
def window(qtbot: QtBot, console: Console, door: ScriptedDoor) -> Iterator[MainWindow]:
    """The page in a window, in Chinese."""
    samples.fill(door)
    page = BackupPage(console)
    window = MainWindow(console, [page])
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    qtbot.waitUntil(lambda: bool(page.rules.table.shown_rows()))
    yield window
    page.leave()


def page_in(window: MainWindow) -> BackupPage:
    page = window.findChild(BackupPage)
    assert isinstance(page, BackupPage)
    return page


def test_the_list_of_rules(window: MainWindow) -> None:
    rules = page_in(window).rules
    assert headings(rules) == [
        "名称", "状态", "虚拟平台", "灾备机", "下次运行", "最近结果", "最近验证", "组操作",
    ]  # fmt: skip
    assert [action.text for action in rules.row_actions] == [
        "规则列表", "开启组内所有规则", "停止组内所有规则", "删除规则", "组恢复", "修改规则",
        "添加新虚机", "查看统计信息",
    ]  # fmt: skip
    assert rules.table.model().index(0, 1).data() == "执行中 24.8%"
    buttons = [button.text() for button in rules.toolbar.findChildren(QPushButton)]
    assert buttons == ["新建", "删除", "启动", "停止"]


def test_the_vms_of_a_rule(qtbot: QtBot, window: MainWindow) -> None:
    page = page_in(window)
    click_icon(page.rules, 0, "规则列表")
    vms = page.part
    assert isinstance(vms, VmList)
    qtbot.waitUntil(lambda: [crumb.text for crumb in page.crumbs()] == ["虚机备份", "web"])
    assert headings(vms) == [
        "虚机名称", "状态", "虚拟平台", "灾备机", "数据大小", "开始时间", "速度", "结束时间", "最近验证", "操作",
    ]  # fmt: skip
    assert [action.text for action in vms.row_actions] == [
        "启动规则", "停止规则", "删除规则", "即时恢复", "瞬时恢复", "立即执行", "查看日志",
        "修改规则", "查看统计信息",
    ]  # fmt: skip
    assert [action.text for action in vms.row_actions[5].choices] == ["全备份", "增量备份", "差异备份"]
    buttons = [button.text() for button in vms.toolbar.findChildren(QPushButton)]
    assert buttons == ["返回", "删除", "启动", "停止"]


def test_the_statistics_and_their_task_list(qtbot: QtBot, window: MainWindow) -> None:
    page = page_in(window)
    window.visit(Address("backup", (WEB, "statistics")))
    view = page.part
    assert isinstance(view, StatisticsView)
    qtbot.waitUntil(lambda: view.unviewed.text() == "2")
    words = {label.text() for label in view.findChildren(QLabel)}
    assert {"备份统计", "备份数据量", "未查看错误数"} <= words
    choices = [button.text() for button in view.periods.findChildren(QPushButton)]
    assert choices == ["近一周", "近一月", "近一年"]
    view.tasks.click()
    runs = page.part
    assert isinstance(runs, RunList)
    assert headings(runs)[:10] == [
        "名称", "运行结果", "任务类型", "虚机名称", "源数据类型", "源数据大小(GB)", "写入数据(GB)",
        "传输速率(MB/s)", "开始时间", "结束时间",
    ]  # fmt: skip


def test_the_editor(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    editor: RuleEditor = open_editor(qtbot, console, door, EditorMode.CREATE)
    assert [editor.tabs.tabText(place) for place in range(3)] == ["基本设置", "高级设置", "备份策略"]
    labels = [label.text().removesuffix(" *") for label in editor.basic.findChildren(QLabel)]
    assert {"名称", "虚拟平台", "虚拟机", "灾备机", "灾备机目标路径"} <= set(labels)
    advanced = editor.advanced
    boxes = (advanced.automatic, advanced.fast, advanced.lan_free, advanced.delete_data, advanced.quiesce)
    assert [box.text() for box in boxes] == [
        "自动设置快速备份", "开启快速备份", "支持Lan Free", "删除备份数据", "开启静默快照",
    ]  # fmt: skip
    assert (editor.policy.once.text(), editor.policy.periodic.text()) == ("一次性任务", "周期性任务")
    assert [column.title for column in editor.policy.table.rows.columns] == ["备份方式", "策略", "操作"]
    QTest.mouseClick(editor.primary, Qt.MouseButton.LeftButton)
    assert editor.basic.fields["name"].problem == "请输入规则名称。"


def test_the_plan_dialog(qtbot: QtBot, console: Console) -> None:
    dialog = PlanDialog(console, None)
    qtbot.addWidget(dialog)
    assert [unit_word(unit) for unit in PolicyUnit] == ["每天", "每周", "每月", "每季"]
    assert [backup_kind_word(kind) for kind in BackupKind] == ["全备", "增量", "差异"]
    labels = [label.text().removesuffix(" *") for label in dialog.findChildren(QLabel)]
    assert {"策略类型", "备份方式", "运行时间"} <= set(labels)
    assert dialog.all_days.text() == "全选"
