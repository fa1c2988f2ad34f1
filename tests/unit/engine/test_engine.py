"""The door: what is registered, what waits and runs, what is asked."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.contract.platforms import (
    DescribeVm,
    ListPlatforms,
    ListVms,
    ProbePlatform,
    RegisterPlatform,
    RemovePlatform,
    UpdatePlatform,
)
from app.contract.points import DeletePoint, ListPoints, RefreshPoints
from app.contract.standbys import ListStandbys, RegisterStandby, RemoveStandby
from app.contract.tasks import CancelTask, ListTasks, SampleProgress, StartBackup, TaskDetails, TaskLogLines
from app.domain.changes import Changed, Subject
from app.domain.errors import KeptError, LoginRefused, OperationalError, PlatformUnreachable, StandbyFull
from app.domain.ids import PlatformId, PointId, StandbyId, TaskId, VmId
from app.domain.messages import LogLevel
from app.domain.states import BackupKind, TaskState
from app.engine.errors import AlreadyRegistered, StillInUse
from app.engine.messages import TASK_STARTED, MessageCatalogue
from app.engine.program.settings import EngineSettings
from app.engine.tasks.rows import kept_error_row
from app.repository import Repository
from tests.support.engine_lab import QUICK, EngineLab
from tests.support.local_hypervisor import PASSWORD
from tests.support.waiting import wait_until


class Gate:
    """Holds every task at its first read of a disk until it is opened."""

    def __init__(self, lab: EngineLab) -> None:
        self._open = threading.Event()
        self.waiting = 0
        self._lock = threading.Lock()
        lab.host.faults.on_call = self._hold

    def _hold(self, call: str) -> None:
        if call == "save_configuration" and not self._open.is_set():
            with self._lock:
                self.waiting += 1
            assert self._open.wait(20)

    def open(self) -> None:
        """Let everybody pass from now on."""
        self._open.set()


def states(lab: EngineLab) -> dict[TaskId, TaskState]:
    return {row.id: row.state for row in lab.engine.ask(ListTasks())}


def running(lab: EngineLab) -> set[TaskId]:
    return {sample.task for sample in lab.engine.ask(SampleProgress()).tasks}


# --- platforms and standbys ------------------------------------------------------------------------------------


def test_registering_logs_in_first_and_keeps_the_password_out_of_the_catalog(
    lab: EngineLab, tmp_path: Path
) -> None:
    (platform,) = lab.engine.ask(ListPlatforms())
    assert lab.secrets.values == {platform.secret_name: PASSWORD}
    assert all(session.closed for session in lab.factory.sessions)
    assert lab.hears(Subject.PLATFORMS, platform.id)
    for file in tmp_path.glob("catalog.db*"):
        assert PASSWORD.encode() not in file.read_bytes()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"password": "wrong"}, LoginRefused),
        ({"address": "elsewhere"}, PlatformUnreachable),
        ({"address": "kvm.test", "port": 443}, AlreadyRegistered),
        ({"address": "other", "name": "lab"}, AlreadyRegistered),
        ({"address": " "}, OperationalError),
    ],
)
def test_a_platform_that_cannot_be_used_is_not_remembered(
    lab: EngineLab, change: dict[str, object], error: type[OperationalError]
) -> None:
    lab.host.address = "kvm.test"
    lab.factory.hosts["second"] = lab.host
    values = {"name": "second", "address": "second", "user": "root", "password": PASSWORD, **change}
    with pytest.raises(error):
        lab.engine.execute(RegisterPlatform(**values))  # type: ignore[arg-type]
    assert len(lab.engine.ask(ListPlatforms())) == 1
    assert len(lab.secrets.values) == 1


def test_a_platform_changes_only_when_the_new_account_works(lab: EngineLab) -> None:
    wrong = UpdatePlatform(platform=lab.platform, name="renamed", user="root", password="wrong")
    with pytest.raises(LoginRefused):
        lab.engine.execute(wrong)
    assert lab.engine.ask(ListPlatforms())[0].name == "lab"
    changed = lab.engine.execute(
        UpdatePlatform(platform=lab.platform, name="renamed", user="backup", thumbprint_sha256="AA")
    )
    assert lab.engine.ask(ListPlatforms()) == (changed,)
    assert (changed.user, changed.thumbprint_sha256) == ("backup", "AA")


def test_removing_a_platform_forgets_its_password(lab: EngineLab) -> None:
    lab.engine.execute(RemovePlatform(platform=lab.platform))
    assert lab.engine.ask(ListPlatforms()) == ()
    assert lab.secrets.values == {}


def test_a_platform_without_its_password_says_what_to_do(lab: EngineLab) -> None:
    lab.secrets.values.clear()
    with pytest.raises(OperationalError, match="Enter it again"):
        lab.engine.ask(ListVms(platform=lab.platform))


def test_what_tasks_still_use_cannot_be_removed(lab: EngineLab) -> None:
    gate = Gate(lab)
    task = lab.start_backup(lab.host.add_vm("web"))
    wait_until(lambda: gate.waiting)
    for command in (RemovePlatform(platform=lab.platform), RemoveStandby(standby=lab.standby)):
        with pytest.raises(StillInUse):
            lab.engine.execute(command)
    gate.open()
    assert lab.finished(task).task.state is TaskState.COMPLETED
    lab.engine.execute(RemoveStandby(standby=lab.standby))
    assert lab.engine.ask(ListStandbys()) == ()


def test_registering_a_standby_with_old_backups_lists_its_points(lab: EngineLab) -> None:
    point = lab.backup(lab.host.add_vm("web"))
    lab.engine.execute(RemoveStandby(standby=lab.standby))
    path = str(lab.directory / "standby")
    standby = lab.engine.execute(RegisterStandby(name="found again", root_path=path))
    assert [known.point for known in lab.engine.ask(ListPoints(standby=standby.id))] == [point]
    assert lab.hears(Subject.STANDBYS, standby.id)
    with pytest.raises(AlreadyRegistered):
        lab.engine.execute(RegisterStandby(name="twice", root_path=path))
    with pytest.raises(OperationalError, match="not absolute"):
        lab.engine.execute(RegisterStandby(name="relative", root_path="standby"))


def test_a_known_path_with_no_repository_or_another_one_is_refused(lab: EngineLab) -> None:
    lab.backup(lab.host.add_vm("web"))
    root = lab.directory / "standby"
    root.rename(lab.directory / "moved away")
    missing = lab.finished(lab.start_backup(lab.host.named("web"))).task.error
    assert missing is not None
    assert missing.code == "repository.missing"
    assert not root.exists()
    Repository.create(root, local_dir=lab.directory / "local", clock=lab.clock).close()
    other = lab.finished(lab.start_backup(lab.host.named("web"))).task.error
    assert other is not None
    assert other.code == "engine.wrong_repository"


# --- inventory and points --------------------------------------------------------------------------------------


def test_inventory_is_asked_of_the_platform_itself(lab: EngineLab) -> None:
    vm = lab.host.add_vm("web")
    (row,) = lab.engine.ask(ListVms(platform=lab.platform))
    assert (row.id, row.name) == (vm, "web")
    details = lab.engine.ask(DescribeVm(platform=lab.platform, vm=vm))
    assert [disk.key for disk in details.disks] == [2000]
    assert lab.engine.ask(ProbePlatform(platform=lab.platform)).full_name == "Local files 1.0"
    with pytest.raises(OperationalError, match="not registered"):
        lab.engine.ask(ListVms(platform=PlatformId("nobody")))


def test_a_deleted_point_is_gone_from_the_list_and_the_repository(lab: EngineLab) -> None:
    vm = lab.host.add_vm("web")
    old, new = lab.backup(vm), lab.backup(vm)
    lab.engine.execute(DeletePoint(standby=lab.standby, point=old.id))
    assert [point.id for point in lab.points()] == lab.listed() == [new.id]
    assert lab.hears(Subject.POINTS, lab.standby)


def test_refreshing_finds_points_that_came_and_went_behind_the_catalogs_back(lab: EngineLab) -> None:
    vm = lab.host.add_vm("web")
    first, second = lab.backup(vm), lab.backup(vm)
    with lab.repository() as repository:
        repository.delete_point(first.id)
    lab.catalog.points.remove(lab.standby, "", second.id)
    assert lab.engine.execute(RefreshPoints(standby=lab.standby)) == 1
    assert lab.listed() == [second.id]


# --- waiting and running ---------------------------------------------------------------------------------------


def test_no_more_tasks_run_at_once_than_the_settings_allow(tmp_path: Path) -> None:
    with EngineLab(tmp_path, settings=replace(QUICK, max_tasks=2)) as lab:
        gate = Gate(lab)
        tasks = [lab.start_backup(lab.host.add_vm(f"vm{number}")) for number in range(5)]
        wait_until(lambda: gate.waiting == 2)
        assert sorted(state.value for state in states(lab).values()).count("pending") == 3
        assert running(lab) == set(tasks[:2])
        gate.open()
        assert lab.engine.wait_until_idle(30)
        assert set(states(lab).values()) == {TaskState.COMPLETED}


def test_two_tasks_never_work_on_one_vm_at_once(lab: EngineLab) -> None:
    gate = Gate(lab)
    vm = lab.host.add_vm("web")
    first, second = lab.start_backup(vm), lab.start_backup(vm)
    other = lab.start_backup(lab.host.add_vm("other"))
    wait_until(lambda: gate.waiting == 2)
    assert states(lab)[second] is TaskState.PENDING
    assert running(lab) == {first, other}
    gate.open()
    assert lab.engine.wait_until_idle(30)
    newest, oldest = lab.points(vm)
    assert (newest.kind, newest.parent) == (BackupKind.INCREMENTAL, oldest.id)


def test_tasks_on_one_host_share_its_buffers(tmp_path: Path) -> None:
    narrow = EngineSettings(host_buffer_mib=8, transfer_buffer_mib=8, standby_reserve_bytes=1)
    with EngineLab(tmp_path, settings=narrow) as lab:
        gate = Gate(lab)
        for number, host in enumerate(["esx1", "esx1", "esx2"]):
            lab.engine.execute(
                StartBackup(
                    platform=lab.platform,
                    vm=lab.host.add_vm(f"vm{number}"),
                    vm_name=f"vm{number}",
                    standby=lab.standby,
                    rule_name="nightly",
                    host=host,
                )
            )
        wait_until(lambda: gate.waiting == 2)
        waiting = lab.engine.ask(ListTasks(states=(TaskState.PENDING,)))
        assert [row.vm_name for row in waiting] == ["vm1"]
        gate.open()
        assert lab.engine.wait_until_idle(30)


def test_a_waiting_task_is_stopped_at_once(tmp_path: Path) -> None:
    with EngineLab(tmp_path, settings=replace(QUICK, max_tasks=1)) as lab:
        gate = Gate(lab)
        lab.start_backup(lab.host.add_vm("first"))
        waiting = lab.start_backup(lab.host.add_vm("second"))
        wait_until(lambda: gate.waiting == 1)
        lab.engine.execute(CancelTask(task=waiting))
        assert states(lab)[waiting] is TaskState.STOPPED
        gate.open()
        assert lab.engine.wait_until_idle(30)
        assert [point.facts.name for point in lab.points()] == ["first"]


def test_cancelling_what_has_ended_does_nothing_and_what_never_was_is_an_error(lab: EngineLab) -> None:
    task = lab.finished(lab.start_backup(lab.host.add_vm("web"))).task
    lab.engine.execute(CancelTask(task=task.id))
    assert states(lab)[task.id] is TaskState.COMPLETED
    with pytest.raises(OperationalError, match="no task"):
        lab.engine.execute(CancelTask(task=TaskId("never was")))


def test_closing_stops_what_runs_cleanly_and_keeps_what_waits(tmp_path: Path) -> None:
    with EngineLab(tmp_path, settings=replace(QUICK, max_tasks=1)) as lab:
        gate = Gate(lab)
        running = lab.start_backup(lab.host.add_vm("first"))
        waiting = lab.start_backup(lab.host.add_vm("second"))
        wait_until(lambda: gate.waiting == 1)
        closer = threading.Thread(target=lab.engine.close)
        closer.start()
        wait_until(lambda: running in lab.engine.manager.stopping())
        gate.open()
        closer.join()
        assert states(lab) == {running: TaskState.STOPPED, waiting: TaskState.PENDING}
        assert lab.host.our_snapshots() == []
    with EngineLab(tmp_path, host=lab.host) as again:
        assert again.finished(waiting).task.state is TaskState.COMPLETED


def test_a_task_for_an_unknown_vm_is_accepted_and_fails_with_its_reason(lab: EngineLab) -> None:
    command = StartBackup(
        platform=lab.platform, vm=VmId("vm-404"), vm_name="ghost", standby=lab.standby, rule_name="nightly"
    )
    report = lab.finished(lab.engine.execute(command))
    assert report.task.error is not None
    assert report.task.error.code == "vm.not_found"
    assert dict(report.task.error.params)["vm"] == "vm-404"


def test_a_task_for_an_unknown_platform_or_standby_is_refused_at_the_door(lab: EngineLab) -> None:
    good = StartBackup(platform=lab.platform, vm=VmId("v"), vm_name="v", standby=lab.standby, rule_name="nightly")
    for platform, standby in ((PlatformId("x"), good.standby), (good.platform, StandbyId("x"))):
        with pytest.raises(OperationalError, match="not registered"):
            lab.engine.execute(
                StartBackup(platform=platform, vm=good.vm, vm_name="v", standby=standby, rule_name="r")
            )
    assert lab.engine.ask(ListTasks()) == ()


def test_a_listener_may_give_commands_and_stops_hearing_when_it_wants(lab: EngineLab) -> None:
    vm, heard = lab.host.add_vm("web"), list[str]()
    stop: list[Callable[[], None]] = []

    def listen(event: object) -> None:
        if isinstance(event, Changed) and event.subject is Subject.TASKS:
            heard.append(event.subject.value)
            stop[0]()
            lab.engine.ask(ListTasks())
            lab.start_backup(vm)

    stop.append(lab.engine.subscribe(listen))
    lab.start_backup(vm)
    assert lab.engine.wait_until_idle(30)
    wait_until(lambda: heard, what="the change")
    assert lab.engine.wait_until_idle(30)
    assert heard == ["tasks"]
    wait_until(lambda: len(lab.points()) == 2, what="the backup that the listener began")


# --- logs and errors -------------------------------------------------------------------------------------------


def test_log_lines_are_read_by_level_and_in_pages(lab: EngineLab) -> None:
    vm = lab.host.add_vm("web", [1 << 20, 1 << 20])
    lab.host.vm(vm).disks[2001].unsupported_reason = "shared bus"
    task = lab.finished(lab.start_backup(vm)).task.id
    (warning,) = lab.engine.ask(TaskLogLines(task=task, at_least=LogLevel.WARNING))
    assert "shared bus" in warning.text
    pages, after = list[str](), 0
    while page := lab.engine.ask(TaskLogLines(task=task, after=after, limit=2)):
        assert len(page) <= 2
        pages += [line.text for line in page]
        after = page[-1].id
    assert pages == [line.text for line in lab.engine.ask(TaskDetails(task=task)).log]
    with pytest.raises(OperationalError, match="no task"):
        lab.engine.ask(TaskDetails(task=TaskId("x")))


def test_lines_and_errors_of_another_version_are_shown_as_they_are() -> None:
    texts = MessageCatalogue([TASK_STARTED])
    assert texts.text("task.started", (("what", "backup"), ("vm", "web"))) == "Started: backup of web"
    assert texts.text("task.started", (("other", "1"),)) == "Started: {what} of {vm} other=1"
    assert texts.text("new.code", (("a", "1"), ("b", "2"))) == "new.code a=1 b=2"
    row = kept_error_row(KeptError(code="new.error", params=(("a", "1"),)))
    assert (row.code, row.message) == ("new.error", "new.error a=1")
    known = kept_error_row(KeptError.of(StandbyFull(free_bytes=7, path="/v")))
    assert "/v is full (7 B free)" in known.message
    assert known.retryable


def test_points_are_filtered_by_vm_and_standby(lab: EngineLab) -> None:
    first, second = lab.host.add_vm("one"), lab.host.add_vm("two")
    lab.backup(first)
    point = lab.backup(second)
    assert [known.point.id for known in lab.engine.ask(ListPoints(vm=second))] == [point.id]
    assert len(lab.engine.ask(ListPoints(origin=lab.platform))) == 2
    assert lab.engine.ask(ListPoints(standby=StandbyId("x"))) == ()
    assert PointId(point.id) in lab.listed()
