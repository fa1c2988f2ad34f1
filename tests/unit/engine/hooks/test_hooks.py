"""The operator's own commands around a backup: told everything, bounded in everything, and able to forbid it."""

import ast
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from app.contract.hooks import ReadHooks, SetHooks
from app.contract.tasks import CancelTask
from app.core.cancel import CancelToken
from app.domain.errors import OperationalError
from app.domain.hooks import AllHooks, HookCommand, Hooks
from app.domain.ids import RuleId
from app.domain.states import BackupKind, TaskState
from app.engine.errors import RequestRefused
from app.engine.hooks.process import MAX_OUTPUT_BYTES, run_command
from app.engine.hooks.run import keep_hooks
from tests.support.engine_lab import EngineLab, codes_of, filled_vm, text_of
from tests.support.waiting import wait_until


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[EngineLab]:
    with EngineLab(tmp_path) as opened:
        yield opened


def python(code: str, *arguments: str, **more: object) -> HookCommand:
    """Return a hook that runs a piece of Python."""
    command = HookCommand(arguments=(sys.executable, "-c", code, *arguments), time_limit_s=30.0)
    return replace(command, **more)  # type: ignore[arg-type]


def noting(file: Path, status: int = 0) -> HookCommand:
    """Return a hook that appends its variables to a file, then ends with a status."""
    code = (
        "import json, os, sys\n"
        "told = {name: value for name, value in os.environ.items() if name.startswith('STANDFAST_')}\n"
        "with open(sys.argv[1], 'a') as file: file.write(json.dumps(told) + chr(10))\n"
        "sys.exit(int(sys.argv[2]))"
    )
    return python(code, str(file), str(status))


def told(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def set_hooks(lab: EngineLab, before: HookCommand | None = None, after: HookCommand | None = None) -> None:
    lab.engine.execute(SetHooks(hooks=Hooks(before=before, after=after)))


# --- in a backup ---------------------------------------------------------------------------------------------


def test_both_commands_are_told_what_is_backed_up(lab: EngineLab, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    set_hooks(lab, noting(notes), noting(notes))
    vm = filled_vm(lab)
    report = lab.finished(lab.start_backup(vm, BackupKind.FULL))
    assert report.task.state is TaskState.COMPLETED, text_of(report)
    common = {
        "STANDFAST_TASK": report.task.id,
        "STANDFAST_VM": "web",
        "STANDFAST_VM_ID": vm,
        "STANDFAST_RULE": "nightly",
        "STANDFAST_PLATFORM": "lab",
        "STANDFAST_PLATFORM_ADDRESS": lab.host.address,
        "STANDFAST_STANDBY": "standby",
        "STANDFAST_KIND": "full",
        "STANDFAST_ATTEMPT": "1",
    }
    assert told(notes) == [
        {**common, "STANDFAST_PHASE": "before"},
        {**common, "STANDFAST_PHASE": "after", "STANDFAST_RESULT": "completed"},
    ]


def test_the_one_runs_before_the_snapshot_and_the_other_after_its_removal(lab: EngineLab, tmp_path: Path) -> None:
    set_hooks(lab, noting(tmp_path / "notes"), noting(tmp_path / "notes"))
    codes = codes_of(lab.finished(lab.start_backup(filled_vm(lab))))
    order = [
        code
        for code in codes
        if code in ("hook.before_done", "hook.after_done", "snapshot.created", "snapshot.removed")
    ]
    assert order == ["hook.before_done", "snapshot.created", "snapshot.removed", "hook.after_done"]


def test_the_environment_of_the_engine_is_not_passed_on(
    lab: EngineLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = ("STANDFAST_PASSPHRASE", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "https_proxy", "LD_PRELOAD_PATHS")
    for name in secrets:
        monkeypatch.setenv(name, "open sesame")
    monkeypatch.setenv("HOME", str(tmp_path))
    notes = tmp_path / "notes"
    set_hooks(lab, python("import os; open(os.sys.argv[1], 'w').write(repr(dict(os.environ)))", str(notes)))
    lab.backup(filled_vm(lab))
    seen = ast.literal_eval(notes.read_text())
    assert "open sesame" not in notes.read_text()
    assert not set(secrets) & set(seen)
    assert (seen["PATH"], seen["HOME"]) == (os.environ["PATH"], str(tmp_path))
    assert seen.get("LC_ALL") == (None if os.name == "nt" else "C.UTF-8")
    assert seen["STANDFAST_PHASE"] == "before"


def test_a_veto_stops_the_backup_before_anything_is_touched(lab: EngineLab, tmp_path: Path) -> None:
    notes = tmp_path / "after"
    set_hooks(lab, python("print('database is busy'); raise SystemExit(3)"), noting(notes))
    report = lab.finished(lab.start_backup(filled_vm(lab)))
    assert report.task.state is TaskState.FAILED
    assert report.task.error is not None
    assert report.task.error.code == "hook.vetoed"
    assert "exit status 3" in report.task.error.message
    assert "database is busy" in text_of(report)
    assert "snapshot.created" not in codes_of(report)
    assert told(notes) == []
    assert lab.points() == []


def test_without_a_veto_the_backup_is_made_all_the_same(lab: EngineLab) -> None:
    set_hooks(lab, python("raise SystemExit(1)", veto=False))
    report = lab.finished(lab.start_backup(filled_vm(lab)))
    assert report.task.state is TaskState.COMPLETED
    assert "hook.before_failed" in codes_of(report)


def test_a_command_that_is_off_is_kept_and_not_run(lab: EngineLab, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    off = replace(noting(notes), enabled=False)
    set_hooks(lab, off, noting(notes))
    assert lab.engine.ask(ReadHooks()).common.before == off
    assert lab.finished(lab.start_backup(filled_vm(lab))).task.state is TaskState.COMPLETED
    assert [note["STANDFAST_PHASE"] for note in told(notes)] == ["after"]


def test_a_command_that_is_off_needs_no_program_yet(lab: EngineLab) -> None:
    set_hooks(lab, HookCommand(arguments=(), enabled=False))
    with pytest.raises(RequestRefused):
        set_hooks(lab, HookCommand(arguments=(), enabled=False, time_limit_s=0))


def test_hooks_of_a_rule_that_was_deleted_are_not_listed(lab: EngineLab) -> None:
    store = lab.catalog.settings
    keep_hooks(store, AllHooks(rules={RuleId("gone"): Hooks()}))
    assert lab.engine.ask(ReadHooks()) == AllHooks()


def test_a_command_that_fails_at_first_is_run_again(lab: EngineLab, tmp_path: Path) -> None:
    code = "import os, sys; sys.exit(0 if os.environ['STANDFAST_ATTEMPT'] == '3' else 1)"
    set_hooks(lab, python(code, retries=2))
    report = lab.finished(lab.start_backup(filled_vm(lab)))
    assert report.task.state is TaskState.COMPLETED, text_of(report)
    assert codes_of(report).count("hook.before_again") == 2


def test_the_command_afterwards_is_told_of_a_failure_and_cannot_undo_a_success(
    lab: EngineLab, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    set_hooks(lab, after=noting(notes, status=9))
    vm = filled_vm(lab)
    report = lab.finished(lab.start_backup(vm))
    assert report.task.state is TaskState.COMPLETED
    assert "hook.after_failed" in codes_of(report)
    lab.host.faults.on_call = fail_reading
    lab.finished(lab.start_backup(vm))
    lab.host.faults.on_call = None
    assert [note["STANDFAST_RESULT"] for note in told(notes)] == ["completed", "failed"]
    assert told(notes)[1]["STANDFAST_ERROR"] == "operational"


def fail_reading(call: str) -> None:
    """Fail once the snapshot is there."""
    if call == "save_configuration":
        raise OperationalError(detail="the lab is on fire")


def test_a_program_that_is_not_there_is_a_clear_reason(lab: EngineLab) -> None:
    set_hooks(lab, HookCommand(arguments=("/no/such/program",)))
    report = lab.finished(lab.start_backup(filled_vm(lab)))
    assert report.task.error is not None
    assert "could not be started" in report.task.error.message


def test_stopping_the_task_ends_the_command_and_still_runs_the_other(lab: EngineLab, tmp_path: Path) -> None:
    started = tmp_path / "started"
    set_hooks(lab, python("import sys, time; open(sys.argv[1], 'w').close(); time.sleep(60)", str(started)))
    task = lab.start_backup(filled_vm(lab))
    wait_until(started.exists, what="the command")
    begun = time.monotonic()
    lab.engine.execute(CancelTask(task=task))
    assert lab.finished(task).task.state is TaskState.STOPPED
    assert time.monotonic() - begun < 15


def test_a_stopped_backup_still_thaws(lab: EngineLab, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    set_hooks(lab, after=noting(notes))
    vm = filled_vm(lab)
    tasks: list[str] = []

    def stop(call: str) -> None:
        if call == "save_configuration" and tasks:
            lab.engine.execute(CancelTask(task=tasks[0]))  # type: ignore[arg-type]

    lab.host.faults.on_call = stop
    task = lab.start_backup(vm)
    tasks.append(task)
    report = lab.finished(task)
    lab.host.faults.on_call = None
    result = {TaskState.STOPPED: "stopped", TaskState.COMPLETED: "completed"}[report.task.state]
    assert [note["STANDFAST_RESULT"] for note in told(notes)] == [result]


# --- one command ---------------------------------------------------------------------------------------------


def test_a_time_limit_ends_the_whole_tree_of_processes(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN) if os.name != 'nt' else None\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open(sys.argv[1], 'w').write(f'{os.getpid()} {child.pid}')\n"
        "time.sleep(60)"
    )
    outcome = run_command(
        (sys.executable, "-c", code, str(pids)),
        environment=dict(os.environ),
        time_limit_s=1.5,
        cancel=CancelToken(),
    )
    assert outcome.status is None
    assert not outcome.was_cancelled
    family = [int(pid) for pid in pids.read_text().split()]
    assert len(family) == 2
    wait_until(lambda: not any(is_running(pid) for pid in family), what="the end of both processes")


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_endless_output_is_read_and_not_kept() -> None:
    code = "import sys; [sys.stdout.write('x' * 65536) for _ in range(200)]; sys.stderr.write('end')"
    outcome = run_command(
        (sys.executable, "-c", code), environment=dict(os.environ), time_limit_s=30, cancel=CancelToken()
    )
    assert outcome.is_good
    assert outcome.is_cut
    assert len(outcome.output) == MAX_OUTPUT_BYTES


def test_output_that_is_no_text_and_an_input_that_is_empty() -> None:
    code = "import sys; sys.stdout.buffer.write(b'\\xff\\x00ok' + sys.stdin.buffer.read())"
    outcome = run_command(
        (sys.executable, "-c", code), environment=dict(os.environ), time_limit_s=30, cancel=CancelToken()
    )
    # Not UTF-8, so taken for the code page of consoles on Windows, in which each byte means something.
    assert outcome.output == b"\xff\x00ok".decode("utf-8" if os.name == "posix" else "oem", "replace")


def test_arguments_are_given_as_they_are_without_a_shell() -> None:
    odd = ["$HOME; echo no", "a b", "*", '"', "密码"]
    outcome = run_command(
        (sys.executable, "-c", "import sys, json; print(json.dumps(sys.argv[1:]))", *odd),
        environment=dict(os.environ),
        time_limit_s=30,
        cancel=CancelToken(),
    )
    assert json.loads(outcome.output) == odd


# --- settings ------------------------------------------------------------------------------------------------


def test_hooks_of_no_rule_hold_for_all_and_are_kept(lab: EngineLab) -> None:
    assert lab.engine.ask(ReadHooks()) == AllHooks()
    hooks = Hooks(before=HookCommand(arguments=("true",), retries=2, veto=False))
    lab.engine.execute(SetHooks(hooks=hooks))
    assert lab.engine.ask(ReadHooks()) == AllHooks(common=hooks)
    lab.engine.execute(SetHooks(hooks=None))
    assert lab.engine.ask(ReadHooks()) == AllHooks()


@pytest.mark.parametrize(
    "command",
    [
        HookCommand(arguments=()),
        HookCommand(arguments=(" ",)),
        HookCommand(arguments=("a", "b\0c")),
        HookCommand(arguments=("a",), time_limit_s=0),
        HookCommand(arguments=("a",), time_limit_s=float("inf")),
        HookCommand(arguments=("a",), retries=11),
    ],
)
def test_a_command_that_cannot_work_is_refused(lab: EngineLab, command: HookCommand) -> None:
    for hooks in (Hooks(before=command), Hooks(after=command)):
        with pytest.raises(RequestRefused):
            lab.engine.execute(SetHooks(hooks=hooks))


def test_a_rule_that_is_not_there_has_no_hooks(lab: EngineLab) -> None:
    with pytest.raises(RequestRefused, match="no rule"):
        lab.engine.execute(SetHooks(rule=RuleId("nobody"), hooks=Hooks()))


def test_a_rules_own_hooks_take_the_place_of_the_common_ones() -> None:
    own, common = Hooks(before=HookCommand(arguments=("own",))), Hooks(before=HookCommand(arguments=("common",)))
    book = AllHooks(common=common, rules={RuleId("r1"): own})
    assert book.of_rule(RuleId("r1")) is own
    assert book.of_rule(RuleId("r2")) is common
    assert book.of_rule(None) is common
