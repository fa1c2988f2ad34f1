"""debugctl: what is written, what it asks the engine for, what it shows, and its exit status."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.cli.ctl.command import run_ctl
from app.cli.ctl.screen import Screen, size
from app.cli.demo.stage import folders_in
from app.contract.errors import ErrorRow
from app.contract.overview import Overview, ReadOverview
from app.contract.platforms import ListPlatforms, ListVms, RegisterPlatform, UpdatePlatform
from app.contract.program import ConfirmClock
from app.contract.rules import ListRules, ListRuleVms, RuleRow, RuleVmRow, RunNow, StartRules
from app.contract.standbys import ListStandbys, OpenEntriesRow, ReadOpenEntries, StartClosing
from app.contract.tasks import CancelTask, ListTasks, StartConsolidation, TaskDetails, TaskReport, TaskRow
from app.domain.clocks import ClockDoubt, ClockDoubtKind
from app.domain.errors import LoginRefused
from app.domain.ids import PlatformId, RuleId, StandbyId, TaskId, VmId
from app.domain.platforms import Platform
from app.domain.progress import ProgressSample
from app.domain.standbys import Standby
from app.domain.states import BackupKind, TaskKind, TaskState
from app.engine.door.server import DoorServer
from app.paths import Folders
from tests.gui.backup.samples import inventory_vm
from tests.support.scripted_door import ScriptedDoor

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
MIB = 1024 * 1024


def progress(done: int, total: int) -> ProgressSample:
    return ProgressSample(
        total_bytes=total,
        done_bytes=done,
        read_bytes=done,
        written_bytes=0,
        source_busy_s=0,
        processing_busy_s=0,
        target_busy_s=0,
    )


def task(key: str, state: TaskState, **more: Any) -> TaskRow:
    facts: dict[str, Any] = {
        "id": TaskId(key),
        "kind": TaskKind.BACKUP,
        "state": state,
        "vm": VmId("vm-1"),
        "vm_name": "web-01",
        "platform": None,
        "standby": StandbyId("s"),
        "rule_name": "nightly",
        "point": None,
        "created_at": AT,
        "started_at": AT,
        "ended_at": None,
        "stages": (),
        "progress": progress(0, 0),
        "error": None,
    }
    return TaskRow(**{**facts, **more})


def rule(key: str, name: str) -> RuleRow:
    return RuleRow(
        id=RuleId(key),
        name=name,
        state=TaskState.IDLE,
        fraction=None,
        platform=PlatformId("p"),
        platform_name="vc",
        standby=StandbyId("s"),
        standby_name="disk",
        target_path="a/b",
        vm_count=1,
        next_run=AT,
        next_kind=BackupKind.FULL,
        last_run=None,
        last_result=None,
        unviewed_errors=0,
    )


def rule_vm(vm: str, name: str) -> RuleVmRow:
    return RuleVmRow(
        rule=RuleId("r1"),
        vm=VmId(vm),
        name=name,
        state=TaskState.IDLE,
        fraction=None,
        task=None,
        platform_name="vc",
        standby_name="disk",
        disk_bytes=None,
        started_at=None,
        ended_at=None,
        read_bytes_per_s=None,
        seconds_left=None,
        error=None,
        point_count=0,
        newest_point=None,
        unviewed_errors=0,
    )


@dataclass
class Ctl:
    """debugctl against a scripted engine."""

    engine: ScriptedDoor
    folders: Folders
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        status = run_ctl(arguments, self.folders)
        out, err = self.capture.readouterr()
        return status, out, err


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    found = folders_in(tmp_path)
    found.create()
    return found


@pytest.fixture
def ctl(folders: Folders, capsys: pytest.CaptureFixture[str]) -> Iterator[Ctl]:
    engine = ScriptedDoor()
    with DoorServer.open(engine, folders.data):
        yield Ctl(engine, folders, capsys)


# --- back task -------------------------------------------------------------------------------------------------


def test_back_task_shows_what_the_documented_page_shows(ctl: Ctl) -> None:
    waits = task("b", TaskState.PENDING, vm_name="db-01", started_at=None, created_at=AT.replace(minute=5))
    runs = task("a", TaskState.RUNNING, progress=progress(256 * MIB, 1024 * MIB))
    ctl.engine.answer(ListTasks, (waits, runs))
    status, out, _ = ctl("back", "task")
    assert status == 0
    lines = [line.split() for line in out.splitlines() if line.strip() and "─" not in line]
    assert lines == [
        ["id", "Type", "Stage", "State", "Prog", "Byte", "File"],
        ["1", "backup", "Transfer", "run", "25.0%", f"{256 * MIB}/{1024 * MIB}", "nightly/web-01"],
        ["2", "backup", "Pending", "wait", "0.0%", "0/0", "nightly/db-01"],
    ]
    (asked,) = ctl.engine.asked
    assert isinstance(asked, ListTasks)
    assert asked.states is not None
    assert not any(state.is_final for state in asked.states)


def test_back_task_shows_how_far_the_platform_is_with_removing_a_snapshot(ctl: Ctl) -> None:
    read = replace(progress(1024 * MIB, 1024 * MIB), platform_percent=40)
    ctl.engine.answer(ListTasks, (task("a", TaskState.REMOVING_SNAPSHOT, progress=read),))
    assert "RemoveSnap" in ctl("back", "task")[1]
    assert " 40.0%" in ctl("back", "task")[1]


def test_every_state_has_a_stage(ctl: Ctl) -> None:
    ctl.engine.answer(ListTasks, tuple(task(f"t{state.value}", state) for state in TaskState))
    assert ctl("back", "task")[0] == 0


def test_the_clock_is_shown_and_confirmed(ctl: Ctl) -> None:
    doubt = ClockDoubt(kind=ClockDoubtKind.STANDBY, seconds=7200, subject="nas")
    ctl.engine.answer(ReadOverview, overview(doubt))
    status, out, _ = ctl("clock", "show")
    assert (status, "nas" in out, "+2.0" in out) == (1, True, True)
    ctl.engine.answer(ConfirmClock, None)
    assert ctl("clock", "confirm")[0] == 0
    assert ctl.engine.executed == [ConfirmClock()]
    ctl.engine.answer(ReadOverview, overview())
    assert ctl("clock", "show")[0] == 0


def overview(*doubts: ClockDoubt) -> Overview:
    return Overview(
        protected_vms=0,
        known_vms=None,
        succeeded_7d=0,
        failed_7d=0,
        failures=(),
        overdue=(),
        running=(),
        pending=0,
        next_runs=(),
        standbys=(),
        point_count=0,
        clock_doubts=doubts,
    )


# --- closing a standby machine -----------------------------------------------------------------------------------


@pytest.fixture
def open_standby(ctl: Ctl) -> Ctl:
    ctl.engine.answer(ListStandbys, (Standby(id=StandbyId("s"), name="disk", root_path="/srv/disk"),))
    found = OpenEntriesRow(path="/srv/disk", count=42, linked=1, is_complete=True)
    ctl.engine.answer(ReadOpenEntries, found)
    ctl.engine.answer(StartClosing, TaskId("closing-1"))
    return ctl


def test_closing_without_a_word_of_consent_says_what_it_would_change_and_changes_nothing(
    open_standby: Ctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))  # no terminal: no one was asked
    status, _, err = open_standby("standby", "close", "disk")
    assert status == 1
    assert "42 files and folders in /srv/disk" in err
    assert "--yes" in err
    assert open_standby.engine.executed == []


def test_closing_shows_its_progress_and_how_to_stop_it(open_standby: Ctl) -> None:
    about = {"kind": TaskKind.CLOSING, "vm_name": "disk", "rule_name": ""}
    rows = [
        task("closing-1", TaskState.RUNNING, progress=progress(done * MIB, 100 * MIB), **about)
        for done in (0, 3, 30, 31)
    ]
    rows.append(task("closing-1", TaskState.COMPLETED, **about))
    open_standby.engine.answer(TaskDetails, lambda _: TaskReport(task=rows.pop(0), log=()))
    status, out, err = open_standby("standby", "close", "disk", "--yes")
    assert (status, "disk completed" in out) == (0, True)
    assert open_standby.engine.executed == [StartClosing(standby=StandbyId("s"))]
    assert "debugctl task cancel closing-1" in err
    assert [line for line in err.splitlines() if "%" in line] == ["closing- disk 30% of 105 MB"]


def test_where_nothing_is_open_no_task_is_queued(open_standby: Ctl) -> None:
    nothing = OpenEntriesRow(path="/srv/disk", count=0, linked=0, is_complete=True)
    open_standby.engine.answer(ReadOpenEntries, nothing)
    assert open_standby("standby", "close", "disk")[0] == 0
    assert open_standby.engine.executed == []


def test_disks_are_consolidated_of_the_vm_that_is_named(ctl: Ctl) -> None:
    platform = Platform(id=PlatformId("p"), name="vc", address="vc.test", user="root", thumbprint_sha256=None)
    ctl.engine.answer(ListPlatforms, (platform,))
    ctl.engine.answer(ListVms, (inventory_vm("web-01"), inventory_vm("web-02")))
    ctl.engine.answer(StartConsolidation, TaskId("merge-12345"))
    status, out, err = ctl("platform", "consolidate", "vc", "web-02")
    assert (status, "queued" in out) == (0, True)
    assert "debugctl task cancel merge-12345" in err
    wanted = StartConsolidation(platform=PlatformId("p"), vm=VmId("vm-web-02"), vm_name="web-02")
    assert ctl.engine.executed == [wanted]
    assert ctl("platform", "consolidate", "vc", "web-03")[0] == 1


# --- exit statuses ---------------------------------------------------------------------------------------------


def test_without_an_engine_the_status_is_3(folders: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_ctl(["back", "task"], folders) == 3
    assert "standfast --headless" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["task"], ["task", "cancel"], ["task", "list", "--limit", "0"]]
)
def test_wrong_usage_is_2_and_asks_no_engine(ctl: Ctl, arguments: list[str]) -> None:
    status, out, err = ctl(*arguments)
    assert (status, out) == (2, "")
    assert "usage:" in err
    assert ctl.engine.asked == []


def test_help_is_0(ctl: Ctl) -> None:
    status, out, _ = ctl("--help")
    assert status == 0
    assert "3 no engine runs" in out


def test_a_refusal_is_1_with_its_remedy(ctl: Ctl) -> None:
    ctl.engine.answer(ListTasks, LoginRefused(address="vc", user="root"))
    status, out, err = ctl("task", "list")
    assert (status, out) == (1, "")
    assert "did not accept the account root" in err
    assert "Enter the current password" in err


# --- tasks -----------------------------------------------------------------------------------------------------


def test_json_is_for_programs(ctl: Ctl) -> None:
    ctl.engine.answer(ListTasks, (task("a1b2c3", TaskState.FAILED, vm_name="虚机"),))
    for arguments in (("--json", "task", "list"), ("task", "list", "--json")):
        status, out, _ = ctl(*arguments)
        assert status == 0
        (found,) = json.loads(out)
        assert (found["id"], found["state"], found["vm_name"]) == ("a1b2c3", "failed", "虚机")


def test_a_task_is_found_by_the_beginning_of_its_key(ctl: Ctl) -> None:
    ctl.engine.answer(ListTasks, (task("abcd-1", TaskState.RUNNING), task("abce-2", TaskState.RUNNING)))
    ctl.engine.answer(CancelTask, None)
    assert ctl("task", "cancel", "abcd")[0] == 0
    assert ctl.engine.executed == [CancelTask(task=TaskId("abcd-1"))]
    assert ctl("task", "cancel", "abc")[0] == 1, "too short to be meant"
    ctl.engine.answer(ListTasks, (task("abcd-1", TaskState.RUNNING), task("abcd-2", TaskState.RUNNING)))
    status, _, err = ctl("task", "cancel", "abcd")
    assert status == 1
    assert "More than one" in err
    assert len(ctl.engine.executed) == 1


def test_a_task_is_shown_with_its_reason(ctl: Ctl) -> None:
    failed = task(
        "abcd-1",
        TaskState.FAILED,
        error=ErrorRow(
            code="c", params=(), template="The disk is full.", hint_template="Free space.", retryable=True
        ),
    )
    ctl.engine.answer(ListTasks, (failed,))
    ctl.engine.answer(TaskDetails, TaskReport(task=failed, log=()))
    _, out, _ = ctl("task", "show", "abcd-1")
    assert "The disk is full." in out
    assert "Free space." in out


# --- rules -----------------------------------------------------------------------------------------------------


def test_rules_are_started_by_name(ctl: Ctl) -> None:
    ctl.engine.answer(ListRules, (rule("r1", "nightly"), rule("r2", "每天")))
    ctl.engine.answer(StartRules, None)
    assert ctl("rule", "start", "每天", "r1")[0] == 0
    assert ctl.engine.executed == [StartRules(rules=(RuleId("r2"), RuleId("r1")))]
    assert ctl("rule", "start", "nobody")[0] == 1


@pytest.mark.parametrize(
    ("end", "status"), [(TaskState.COMPLETED, 0), (TaskState.FAILED, 1), (TaskState.STOPPED, 1)]
)
def test_a_run_can_be_waited_for_and_its_result_is_the_status(ctl: Ctl, end: TaskState, status: int) -> None:
    ctl.engine.answer(ListRules, (rule("r1", "nightly"),))
    ctl.engine.answer(ListRuleVms, (rule_vm("vm-1", "web"), rule_vm("vm-2", "db")))
    ctl.engine.answer(RunNow, (TaskId("t1"),))
    ctl.engine.answer(TaskDetails, TaskReport(task=task("t1", end), log=()))
    got, out, _ = ctl("rule", "run", "nightly", "--vm", "db", "--kind", "full", "--wait")
    assert got == status
    assert end.value in out
    assert ctl.engine.executed == [RunNow(rule=RuleId("r1"), vms=(VmId("vm-2"),), kind=BackupKind.FULL)]


# --- platforms -------------------------------------------------------------------------------------------------

PLATFORM = Platform(
    id=PlatformId("p"), name="vc", address="vc.example.com", port=443, user="root", thumbprint_sha256="AA:BB"
)


def test_a_platform_is_looked_for_at_another_address(ctl: Ctl) -> None:
    ctl.engine.answer(ListPlatforms, (PLATFORM,))
    ctl.engine.answer(UpdatePlatform, replace(PLATFORM, address="vc2.example.com", port=8443))
    move = ("platform", "move", "vc", "vc2.example.com", "--port", "8443", "--thumbprint", "CC:DD")
    status, out, _ = ctl(*move, "--same")
    assert status == 0
    assert "vc2.example.com:8443" in out
    ctl(*move[:4], "--thumbprint", "CC:DD")
    there, again = ctl.engine.executed
    assert there == UpdatePlatform(
        platform=PLATFORM.id,
        name="vc",
        user="root",
        address="vc2.example.com",
        port=8443,
        is_confirmed_same=True,
        thumbprint_sha256="CC:DD",
    )
    assert isinstance(again, UpdatePlatform)
    assert (again.port, again.is_confirmed_same, again.password) == (443, False, None)


# --- passwords -------------------------------------------------------------------------------------------------

ADD = ("platform", "add", "vc", "vc.example.com", "--user", "root", "--thumbprint", "AA:BB")


def test_a_password_is_read_from_standard_input(ctl: Ctl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("open sesame \n"))
    platform = Platform(
        id=PlatformId("p"), name="vc", address="vc.example.com", port=443, user="root", thumbprint_sha256="AA:BB"
    )
    ctl.engine.answer(RegisterPlatform, platform)
    status, out, err = ctl(*ADD)
    assert status == 0
    (command,) = ctl.engine.executed
    assert isinstance(command, RegisterPlatform)
    assert command.password == "open sesame "
    assert "sesame" not in out + err


def test_a_password_on_the_command_line_is_no_option(ctl: Ctl) -> None:
    assert ctl(*ADD, "--password", "open sesame")[0] == 2
    assert ctl.engine.executed == []


# --- the terminal ----------------------------------------------------------------------------------------------


def test_names_cannot_move_the_cursor_or_add_colours(ctl: Ctl) -> None:
    ctl.engine.answer(ListTasks, (task("a", TaskState.RUNNING, vm_name="\x1b[2J[red]x[/red]\r"),))
    _, out, _ = ctl("back", "task")
    assert "\x1b" not in out
    assert "\r" not in out
    assert "[red]x[/red]" in out
    assert "␛[2J[red]x[/red]␍" in out
    remarks = io.StringIO()
    Screen(as_json=False, err=remarks).remark("a\x07b\nc\u202e")
    assert remarks.getvalue() == "a␇b␊c⟨U+202E⟩\n"


def test_json_for_programs_cannot_move_the_cursor_either(ctl: Ctl) -> None:
    name = "web\x9b31m\x7f\u202e生产\n"
    ctl.engine.answer(ListTasks, (task("a", TaskState.RUNNING, vm_name=name),))
    _, out, _ = ctl("--json", "back", "task")
    assert not {"\x9b", "\x7f", "\u202e"} & set(out)
    assert "生产" in out
    assert json.loads(out)[0]["vm_name"] == name


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "-"), (0, "0 B"), (999, "999 B"), (1536, "1.54 kB"), (40 * 10**9, "40.0 GB"), (5 * 10**15, "5.00 PB")],
)
def test_sizes_are_readable(count: float | None, text: str) -> None:
    assert size(count) == text


def test_each_row_is_one_line_for_programs_that_read_lines(ctl: Ctl) -> None:
    ctl.engine.answer(ListTasks, (task("a", TaskState.RUNNING, vm_name="x" * 300),))
    _, out, _ = ctl("back", "task")
    assert any(line.rstrip().endswith("x" * 300) for line in out.splitlines())
