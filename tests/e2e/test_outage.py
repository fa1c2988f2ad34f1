"""A platform that goes away in the middle: a run waits for it, and ends as if nothing had happened."""

import socket
import threading
from typing import Any

import pytest
from pyVmomi import vim

from app.cli.demo.stage import Stage
from app.contract.platforms import ListPlatforms, UpdatePlatform
from app.contract.restore import OverOriginal, StartRestore
from app.contract.tasks import CancelTask, TaskDetails, TaskReport
from app.core.cancel import CancelToken
from app.domain.errors import LoginRefused, OperationalError, PlatformUnreachable
from app.domain.ids import TaskId
from app.domain.states import BackupKind, TaskState, TransportMode
from app.engine import messages
from app.simulator.tasks import SimTask
from app.transport.negotiation import negotiate
from tests.e2e.conftest import OpenStage
from tests.support.engine_lab import codes_of
from tests.support.fakes import RecordingTaskLog
from tests.support.stage import (
    Made,
    assert_points_are_exact,
    at_state,
    back_up,
    explain,
    finished,
    known_point,
    our_snapshots,
    start_backup,
    vm_named,
)
from tests.support.waiting import wait_until

FULL, INCREMENTAL = BackupKind.FULL, BackupKind.INCREMENTAL
AWAY_S = 0.6

CALLS = [
    *("Login", "RetrievePropertiesEx", "CreateSnapshotEx_Task", "QueryChangedDiskAreas"),
    *("NfcRandomAccessOpenReadonly", "QueryEvents", "RemoveSnapshot_Task", "WaitForUpdatesEx"),
    *("CreatePropertyCollector", "RetrieveInternalContent", "RetrieveServiceContent"),
]

pytestmark = pytest.mark.allows_log("session at .* expired|keep-alive|will be tried again|has forgotten task")


def go_away_for(stage: Stage, seconds: float = AWAY_S) -> None:
    """Let the platform refuse connections for a while, with all sessions lost."""
    stage.simulator.go_away()
    threading.Timer(seconds, stage.simulator.come_back).start()


def settled() -> None:
    wait_until(lambda: not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)])


@pytest.mark.parametrize("call", CALLS)
def test_services_that_restart_at_any_call_do_not_fail_a_backup(stage: Stage, call: str) -> None:
    vm = vm_named(stage, "web-01")
    made = [back_up(stage, vm, FULL)]
    stage.simulator.world.guests.write_now(vm.id, 1 << 20)

    def restart() -> vim.fault.NotAuthenticated:
        stage.simulator.answer_unavailable(unavailable=True)
        threading.Timer(AWAY_S, lambda: stage.simulator.answer_unavailable(unavailable=False)).start()
        stage.simulator.faults.expire_sessions()
        return vim.fault.NotAuthenticated()

    stage.simulator.faults.fail_call(call, 1, restart)
    report = finished(stage.engine, start_backup(stage, vm, INCREMENTAL))
    settled()
    assert report.task.state is TaskState.COMPLETED, explain(report)
    made.append(Made(report.task.id, known_point(stage, report)))
    assert_points_are_exact(stage, vm.id, made)
    assert not our_snapshots(stage)


@pytest.mark.parametrize("mode", [TransportMode.NFC_SSL, TransportMode.HTTPS])
@pytest.mark.parametrize(
    "state",
    [
        TaskState.PREPARING,
        TaskState.SAVING_CONFIGURATION,
        TaskState.QUERYING_CHANGES,
        TaskState.CHECKING_DATA,
        TaskState.RUNNING,
    ],
)
def test_a_platform_that_refuses_connections_in_any_state_does_not_fail_a_backup(
    stage: Stage, state: TaskState, mode: TransportMode
) -> None:
    vm = vm_named(stage, "web-01")
    at_state(stage, state, lambda: go_away_for(stage))
    task = start_backup(stage, vm, FULL, transports=(mode,))
    report = finished(stage.engine, task)
    settled()
    assert report.task.state is TaskState.COMPLETED, explain(report)
    made = Made(task, known_point(stage, report))
    assert_points_are_exact(stage, vm.id, [made])
    assert not our_snapshots(stage)
    assert codes_of(report).count(messages.PLATFORM_AWAY.code) <= 1
    if messages.PLATFORM_AWAY.code in codes_of(report):
        assert messages.PLATFORM_BACK.code in codes_of(report)


@pytest.mark.parametrize("mode", [TransportMode.NFC_SSL, TransportMode.HTTPS])
def test_reading_goes_on_where_it_was_when_the_platform_goes_away_in_the_middle(
    stage: Stage, mode: TransportMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm = vm_named(stage, "web-01")
    faults = stage.simulator.faults
    name = "https_sent" if mode is TransportMode.HTTPS else "nfc_sent"
    count, sent = getattr(faults, name), [0]

    def counted(n_bytes: int) -> object:
        before, sent[0] = sent[0], sent[0] + n_bytes
        if before < (2 << 20) <= sent[0]:
            threading.Thread(target=go_away_for, args=(stage,)).start()
        return count(n_bytes)

    monkeypatch.setattr(faults, name, counted)
    task = start_backup(stage, vm, FULL, transports=(mode,))
    report = finished(stage.engine, task)
    settled()
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert sent[0] >= 2 << 20
    assert_points_are_exact(stage, vm.id, [Made(task, known_point(stage, report))])


@pytest.mark.parametrize(
    "state", [TaskState.PREPARING, TaskState.CREATING_VM, TaskState.RUNNING, TaskState.VERIFYING]
)
def test_a_restore_waits_for_its_platform_too(stage: Stage, state: TaskState) -> None:
    vm = vm_named(stage, "web-01")
    made = back_up(stage, vm, FULL)
    at_state(stage, state, lambda: go_away_for(stage))
    task = stage.engine.execute(
        StartRestore(
            standby=stage.standby,
            point=made.point.id,
            platform=stage.platform,
            target=OverOriginal(),
            power_on=False,
        )
    )
    report = finished(stage.engine, task)
    settled()
    assert report.task.state is TaskState.COMPLETED, explain(report)


def test_the_wait_is_said_once_with_its_length_and_ends_with_a_stop(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    stage.simulator.go_away()
    task = start_backup(stage, vm, FULL)
    wait_until(lambda: messages.PLATFORM_AWAY.code in codes_of(details(stage, task)))
    stage.engine.execute(CancelTask(task=task))
    report = finished(stage.engine, task)
    stage.simulator.come_back()
    assert report.task.state is TaskState.STOPPED, explain(report)
    (line,) = [entry for entry in report.log if entry.code == messages.PLATFORM_AWAY.code]
    assert "300 s" in line.text


def details(stage: Stage, task: TaskId) -> TaskReport:
    return stage.engine.ask(TaskDetails(task=task))


def test_a_refused_login_is_no_outage(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    stage.simulator.faults.fail_call("Login", 1, vim.fault.InvalidLogin)
    report = finished(stage.engine, start_backup(stage, vm, FULL))
    assert report.task.error is not None
    assert report.task.error.code == LoginRefused.code
    assert messages.PLATFORM_AWAY.code not in codes_of(report)


def test_a_changed_certificate_is_no_outage(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    stage.simulator.faults.change_certificate()
    report = finished(stage.engine, start_backup(stage, vm, FULL))
    assert report.task.error is not None
    assert report.task.error.code == "platform.certificate_changed"
    assert messages.PLATFORM_AWAY.code not in codes_of(report)


@pytest.mark.parametrize(
    "error",
    [
        PlatformUnreachable(address="vc", port=443, detail="refused"),
        LoginRefused(address="vc", user="u"),
    ],
)
def test_an_unreachable_platform_is_never_a_mode_that_does_not_work(error: OperationalError) -> None:
    tried: list[str] = []

    def fails() -> str:
        tried.append("nfc")
        raise error

    def other() -> str:
        tried.append("https")
        return "open"

    with pytest.raises(type(error)):
        negotiate(
            "[ds] a.vmdk",
            [TransportMode.NFC_SSL, TransportMode.HTTPS],
            {TransportMode.NFC_SSL: fails, TransportMode.HTTPS: other},
            allows_plain=False,
            log=RecordingTaskLog(),
            cancel=CancelToken(),
        )
    assert tried == ["nfc"]


# ---- another node stands in -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["CreateSnapshotEx_Task", "RemoveSnapshot_Task"])
def test_a_backup_goes_on_when_another_node_has_never_heard_of_its_task(stage: Stage, method: str) -> None:
    vm = vm_named(stage, "web-01")
    made = [back_up(stage, vm, FULL)]
    stage.simulator.world.guests.write_now(vm.id, 1 << 20)
    stage.simulator.faults.hang_task(method)
    task = start_backup(stage, vm, INCREMENTAL)
    runner = stage.simulator.world.tasks
    wait_until(lambda: any(is_running(known, method) for known in runner.all()), what="the platform's task")
    stage.simulator.go_away(keep_tasks=False)
    threading.Timer(AWAY_S, stage.simulator.come_back).start()
    threading.Timer(2 * AWAY_S, stage.simulator.faults.release).start()
    report = finished(stage.engine, task)
    settled()
    assert report.task.state is TaskState.COMPLETED, explain(report)
    made.append(Made(task, known_point(stage, report)))
    assert made[1].point.parent == made[0].point.id
    assert_points_are_exact(stage, vm.id, made)
    assert not our_snapshots(stage)


def is_running(task: SimTask, method: str) -> bool:
    words = {"CreateSnapshotEx_Task": "createSnapshotEx", "RemoveSnapshot_Task": "remove"}
    return task.finished_at is None and str(task.info.descriptionId).endswith(words[method])


@pytest.mark.parametrize("method", ["CreateVM_Task", "PowerOffVM_Task", "Destroy_Task"])
def test_a_restore_goes_on_when_another_node_has_never_heard_of_its_task(
    stage: Stage, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.vsphere.tasks._LONG_WAIT_S", 1)
    vm = vm_named(stage, "web-01")
    made = back_up(stage, vm, FULL)
    stage.simulator.faults.hang_task(method)
    task = stage.engine.execute(
        StartRestore(
            standby=stage.standby,
            point=made.point.id,
            platform=stage.platform,
            target=OverOriginal(),
            power_on=False,
        )
    )
    faults = stage.simulator.faults
    before = faults.calls(method)
    waits = [0]

    def is_waited_for() -> bool:
        if faults.calls(method) == before:
            waits[0] = faults.calls("WaitForUpdatesEx")
        return faults.calls("WaitForUpdatesEx") > waits[0]

    wait_until(is_waited_for, what="the wait for the platform's task", deadline_s=60)
    stage.simulator.go_away(keep_tasks=False)
    threading.Timer(AWAY_S, stage.simulator.come_back).start()
    threading.Timer(2 * AWAY_S, stage.simulator.faults.release).start()
    report = finished(stage.engine, task)
    settled()
    assert report.task.state is TaskState.COMPLETED, explain(report)


def test_another_address_behind_the_name_is_used_from_the_next_connection_on(
    open_fresh_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = open_fresh_stage()
    present = ["127.0.0.1"]
    resolve = socket.getaddrinfo

    def resolved(host: Any, *more: Any, **named: Any) -> Any:
        return resolve(present[0] if host == "vcenter.test" else host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    platform = stage.engine.ask(ListPlatforms())[0]
    stage.engine.execute(
        UpdatePlatform(
            platform=platform.id,
            name=platform.name,
            user=platform.user,
            address="vcenter.test",
            thumbprint_sha256=platform.thumbprint_sha256,
        )
    )
    vm = vm_named(stage, "web-01")

    def stand_in() -> None:
        stage.simulator.go_away(keep_tasks=False)
        present[0] = "127.0.0.2"
        threading.Timer(AWAY_S, lambda: stage.simulator.come_back("127.0.0.2")).start()

    at_state(stage, TaskState.QUERYING_CHANGES, stand_in)
    report = finished(stage.engine, start_backup(stage, vm, FULL))
    settled()
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert not our_snapshots(stage)


@pytest.mark.allows_log("is looked for later")
def test_a_node_with_another_certificate_ends_the_task_with_the_truth_until_it_is_confirmed(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")

    def stand_in() -> None:
        stage.simulator.go_away(keep_tasks=False)
        stage.simulator.faults.change_certificate()
        stage.simulator.come_back()

    at_state(stage, TaskState.QUERYING_CHANGES, stand_in)
    report = finished(stage.engine, start_backup(stage, vm, FULL))
    assert report.task.error is not None
    assert report.task.error.code == "platform.certificate_changed"
    assert len(our_snapshots(stage)) == 1
    assert messages.SNAPSHOT_LEFT.code in codes_of(report), explain(report)
    assert len(stage.engine.services.catalog.snapshot_journal.open_entries()) == 1
    platform = stage.engine.ask(ListPlatforms())[0]
    stage.engine.execute(
        UpdatePlatform(
            platform=platform.id,
            name=platform.name,
            user=platform.user,
            thumbprint_sha256=stage.simulator.thumbprint_sha256,
        )
    )
    back_up(stage, vm, FULL)
    assert not our_snapshots(stage)
    assert list(stage.engine.services.catalog.snapshot_journal.open_entries()) == []
