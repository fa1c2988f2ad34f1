"""Rules whose VMs have new ids: registered again, or on a platform that was set up again."""

from app.contract.doctor import ExamineRule
from app.contract.rules import VmsInRules
from app.domain.ids import VmId
from app.domain.policies import Retention
from app.domain.states import TaskState
from tests.support.engine_lab import filled_vm
from tests.support.moved_vms import copy_of, give_ids
from tests.support.rule_lab import RuleLab, local, periodic


def protected(lab: RuleLab) -> dict[VmId, str]:
    found: dict[VmId, str] = lab.engine.ask(VmsInRules(platform=lab.platform))
    return found


def test_all_vms_of_a_host_that_was_added_again_are_followed(lab: RuleLab) -> None:
    web, db, app = (filled_vm(lab, name=name) for name in ("web", "db", "app"))
    rule = lab.rule(web, db, app)
    lab.at(local(12))
    # The ids of one VM are those of another now, as after the platform was set up again.
    give_ids(lab.host, {web: db, db: app, app: "vm-77"})
    lab.at(local(12, day=3))
    assert list(lab.ended().values()) == [TaskState.COMPLETED] * 6
    assert set(protected(lab)) == {db, app, "vm-77"}
    names = {vm: lab.vm_row(rule, vm).name for vm in protected(lab)}
    assert names == {db: "web", app: "db", "vm-77": "app"}
    for vm, name in names.items():
        found = [known for known in lab.catalog.points.find() if known.point.facts.name == name]
        assert len(found) == 2
        assert len({known.point.chain for known in found}) == 2
        assert lab.vm_row(rule, vm).name == name


def test_retention_never_takes_the_points_of_the_vm_that_had_the_id_before(lab: RuleLab) -> None:
    web, db = filled_vm(lab, name="web"), filled_vm(lab, name="db")
    lab.rule(web, db, policy=periodic(retention=Retention(period=3)))
    for day in (2, 3):
        lab.at(local(12, day=day))
    give_ids(lab.host, {web: db, db: web})
    for day in (4, 5):
        lab.at(local(12, day=day))
    left: dict[str, int] = {}
    for known in lab.catalog.points.find():
        left[known.point.facts.name] = left.get(known.point.facts.name, 0) + 1
    assert left == {"web": 3, "db": 3}


def test_a_stranger_with_the_id_touches_no_retention(lab: RuleLab) -> None:
    web = filled_vm(lab, name="web")
    lab.rule(web, policy=periodic(retention=Retention(period=1)))
    lab.at(local(12))
    with lab.host.lock:
        lab.host.vms.pop(web)
    give_ids(lab.host, {filled_vm(lab, name="db"): web})
    for day in (3, 4, 5):
        lab.at(local(12, day=day))
    states = [state for state in lab.ended().values() if state is TaskState.FAILED]
    assert len(states) == 3
    assert [known.point.facts.name for known in lab.catalog.points.find()] == ["web"]


def test_the_rule_knows_its_vms_by_more_than_their_ids_after_a_backup(lab: RuleLab) -> None:
    web = filled_vm(lab, name="web")
    lab.host.platform_uuid = "vcenter-1"
    rule = lab.rule(web)
    lab.at(local(12))
    known = lab.catalog.rules.get(rule)
    assert known is not None
    assert known.vms[0].instance_uuid == lab.host.vm(web).instance_uuid
    assert known.vms[0].platform_uuid == "vcenter-1"


def test_the_doctor_says_which_vms_are_not_what_the_rule_protects(lab: RuleLab) -> None:
    names = ("web", "db", "app", "gone")
    web, db, app, gone = vms = tuple(filled_vm(lab, name=name) for name in names)
    rule = lab.rule(*vms)
    lab.at(local(12))
    give_ids(lab.host, {web: "vm-77"})
    copy_of(lab.host, db, "db-copy")
    give_ids(lab.host, {db: "vm-78"})
    for vm in (app, gone):
        with lab.host.lock:
            lab.host.vms.pop(vm)
    give_ids(lab.host, {filled_vm(lab, name="stranger"): app})
    found: dict[str, set[str]] = {name: set() for name in names}
    for finding in lab.engine.ask(ExamineRule(rule=rule)):
        found.setdefault(finding.subject, set()).add(finding.code)
    assert "doctor.vm_registered_again" in found["web"]
    assert found["db"] == {"vm.under_another_id"}
    assert found["app"] == {"vm.id_of_another"}
    assert found["gone"] == {"vm.not_found"}
    assert "stranger" not in found


def test_the_doctor_says_of_a_stranger_beside_a_copy_what_the_backup_says(lab: RuleLab) -> None:
    web = filled_vm(lab, name="web")
    rule = lab.rule(web)
    lab.at(local(12))
    copy_of(lab.host, web, "web-copy")
    with lab.host.lock:
        lab.host.vms.pop(web)
    give_ids(lab.host, {filled_vm(lab, name="stranger"): web})
    said = [finding.code for finding in lab.engine.ask(ExamineRule(rule=rule)) if finding.subject == "web"]
    lab.at(local(12, day=3))
    errors = [row.error.code for row in lab.tasks() if row.error is not None]
    assert said == errors == ["vm.id_of_another"]
