"""Disks that need consolidation: said before backups and by the doctor, merged only when that is asked for."""

from app.contract.doctor import ExaminePlatform, ExamineRule, Finding
from app.contract.tasks import CancelTask, ListTasks, StartConsolidation, TaskReport
from app.domain.ids import VmId
from app.domain.states import TaskKind, TaskState
from tests.support.engine_lab import text_of
from tests.support.rule_lab import RuleLab


def asked(lab: RuleLab, vm: VmId, name: str = "web") -> TaskReport:
    return lab.finished(lab.engine.execute(StartConsolidation(platform=lab.platform, vm=vm, vm_name=name)))


def codes(report: TaskReport) -> list[str]:
    return [line.code for line in report.log]


def remedies(findings: tuple[Finding, ...]) -> list[StartConsolidation]:
    return [finding.remedy for finding in findings if finding.remedy is not None]


def test_the_doctor_offers_what_the_task_then_does(lab: RuleLab) -> None:
    vm = lab.host.add_vm("web")
    rule = lab.rule(vm)
    assert remedies(lab.engine.ask(ExaminePlatform(platform=lab.platform))) == []
    lab.host.vm(vm).needs_consolidation = True
    [offered] = remedies(lab.engine.ask(ExaminePlatform(platform=lab.platform)))
    assert remedies(lab.engine.ask(ExamineRule(rule=rule))) == [offered]
    report = lab.finished(lab.engine.execute(offered))
    assert (report.task.kind, report.task.state) == (TaskKind.CONSOLIDATION, TaskState.COMPLETED)
    assert (report.task.vm, report.task.vm_name, report.task.platform) == (vm, "web", lab.platform)
    assert report.task.progress.fraction == 1
    assert "consolidation.done" in codes(report)
    assert not lab.host.vm(vm).needs_consolidation
    assert remedies(lab.engine.ask(ExaminePlatform(platform=lab.platform))) == []


def test_a_backup_says_it_before_and_leaves_it_alone(lab: RuleLab) -> None:
    vm = lab.host.add_vm("web")
    lab.host.vm(vm).needs_consolidation = True
    report = lab.finished(lab.start_backup(vm))
    assert report.task.state is TaskState.COMPLETED, text_of(report)
    log = codes(report)
    assert log.index("backup.disks_need_consolidation") < log.index("snapshot.created")
    assert lab.host.vm(vm).needs_consolidation
    assert [row.kind for row in lab.engine.ask(ListTasks())] == [TaskKind.BACKUP]


def test_where_nothing_is_left_nothing_is_done(lab: RuleLab) -> None:
    report = asked(lab, lab.host.add_vm("web"))
    assert report.task.state is TaskState.COMPLETED
    assert codes(report)[-2:] == ["consolidation.nothing", "task.completed"]


def test_a_vm_of_another_name_is_left_alone(lab: RuleLab) -> None:
    vm = lab.host.add_vm("db")
    lab.host.vm(vm).needs_consolidation = True
    report = asked(lab, vm, "web")
    assert report.task.error is not None
    assert report.task.error.code == "engine.vm_is_another"
    assert lab.host.vm(vm).needs_consolidation


def test_a_consolidation_that_is_stopped_says_that_the_platform_may_go_on(lab: RuleLab) -> None:
    vm = lab.host.add_vm("web")
    lab.host.vm(vm).needs_consolidation = True

    def stop(name: str) -> None:
        if name == "consolidate_disks":
            for row in lab.engine.ask(ListTasks()):
                lab.engine.execute(CancelTask(task=row.id))

    lab.host.faults.on_call = stop
    report = asked(lab, vm)
    assert report.task.state is TaskState.STOPPED
    assert report.task.progress.fraction == 0.5
    assert "consolidation.stopped" in codes(report)


def test_a_failure_is_the_tasks_own(lab: RuleLab) -> None:
    vm = lab.host.add_vm("web")
    lab.host.vm(vm).needs_consolidation = True
    lab.host.faults.removal_failures = 1
    report = asked(lab, vm)
    assert report.task.state is TaskState.FAILED
    assert "a file is locked" in text_of(report)


def test_a_vm_that_is_never_backed_up_fails_at_once_and_the_doctor_says_why(lab: RuleLab) -> None:
    vm = lab.host.add_vm("shadow")
    lab.host.vm(vm).unsupported_reason = "it is a secondary"
    rule = lab.rule(vm)
    report = lab.finished(lab.start_backup(vm))
    assert report.task.error is not None
    assert report.task.error.code == "backup.vm_not_backed_up"
    assert "snapshot.created" not in codes(report)
    about = [finding.code for finding in lab.engine.ask(ExamineRule(rule=rule)) if finding.subject == "shadow"]
    assert about[:1] == ["doctor.vm_not_backed_up"]


def test_a_doubtful_snapshot_is_tried_and_the_doubt_is_said(lab: RuleLab) -> None:
    vm = lab.host.add_vm("node")
    lab.host.vm(vm).snapshot_doubt = "it shares a disk"
    rule = lab.rule(vm)
    report = lab.finished(lab.start_backup(vm))
    assert report.task.state is TaskState.COMPLETED, text_of(report)
    assert "backup.snapshot_doubtful" in codes(report)
    about = {finding.code for finding in lab.engine.ask(ExamineRule(rule=rule)) if finding.subject == "node"}
    assert "doctor.snapshot_doubtful" in about


def test_the_doctor_of_a_platform_names_the_vms_with_disks_that_are_left_out(lab: RuleLab) -> None:
    for number in range(30):
        vm = lab.host.add_vm(f"odd-{number:02}")
        lab.host.vm(vm).disks[2000].unsupported_reason = "independent"
    [found] = [
        finding
        for finding in lab.engine.ask(ExaminePlatform(platform=lab.platform))
        if finding.code == "doctor.disks_left_out"
    ]
    values = dict(found.params)
    assert values["count"] == "30"
    assert str(values["names"]).startswith("odd-00, odd-01, ")
    assert str(values["names"]).endswith("odd-19, …")
