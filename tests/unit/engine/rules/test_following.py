"""Group restore, and rules that go on with a VM that was restored in the place of its original."""

import os
from pathlib import Path

import pytest

from app.contract.restore import GroupMember, StartGroupRestore
from app.contract.rules import PreviewRuleDeletion, VmsInRules
from app.domain.changes import Subject
from app.domain.errors import VmCreationFailed
from app.domain.ids import RuleId, VmId
from app.domain.places import PlannedVm
from app.domain.policies import Retention
from app.domain.states import BackupKind, TaskState
from app.domain.vms import SavedConfiguration, VmPlacement
from app.engine.errors import DisksNotHeld, RequestRefused
from app.engine.rules.errors import PointNotOfVm, VmNotInRule
from tests.support.engine_lab import filled_vm
from tests.support.local_hypervisor import LocalSession
from tests.support.rule_lab import RuleLab, local, periodic

FULL, INCREMENTAL = BackupKind.FULL, BackupKind.INCREMENTAL


def protected(lab: RuleLab) -> set[VmId]:
    found: dict[VmId, str] = lab.engine.ask(VmsInRules(platform=lab.platform))
    return set(found)


def newest(lab: RuleLab, vm: VmId) -> GroupMember:
    return GroupMember(vm=vm, point=lab.catalog.points.find(vm=vm)[0].point.id)


def test_a_group_goes_back_over_its_originals_and_the_rule_goes_on_with_the_new_vms(lab: RuleLab) -> None:
    web, db = filled_vm(lab, name="web"), filled_vm(lab, name="db")
    rule = lab.rule(web, db, policy=periodic(retention=Retention(period=3)))
    lab.at(local(12))
    content = lab.host.content(web, 2000)
    lab.host.write(web, 2000, 0, os.urandom(4096))
    members = (newest(lab, web), newest(lab, db))
    tasks = lab.engine.execute(StartGroupRestore(rule=rule, members=members, power_on=True))
    lab.tick()
    assert [lab.ended()[task] for task in tasks] == [TaskState.COMPLETED] * 2
    new_web, new_db = lab.host.named("web"), lab.host.named("db")
    assert (new_web, new_db) != (web, db)
    assert lab.host.content(new_web, 2000) == content
    assert lab.engine.ask(VmsInRules(platform=lab.platform)) == {new_web: "nightly", new_db: "nightly"}
    assert lab.catalog.rules.successions(lab.platform) == {web: new_web, db: new_db}
    assert lab.hears(Subject.RULES, rule)
    assert lab.vm_row(rule, new_web).point_count == 1

    lab.at(local(12, day=3))
    assert [known.point.kind for known in lab.catalog.points.find(vm=new_web)] == [FULL]
    assert lab.vm_row(rule, new_web).point_count == 2
    assert lab.engine.ask(PreviewRuleDeletion(rule=rule)).point_count == 4
    for day in (4, 5):
        lab.at(local(12, day=day))
    assert lab.catalog.points.find(vm=web) == (), "points under the old id expire like the others"
    assert lab.vm_row(rule, new_web).point_count == 3


def test_a_point_from_before_a_restore_can_be_restored_again(lab: RuleLab) -> None:
    web = filled_vm(lab, name="web")
    rule = lab.rule(web)
    lab.at(local(12))
    old = newest(lab, web)
    for _ in range(2):
        present = lab.host.named("web")
        member = GroupMember(vm=present, point=old.point)
        lab.engine.execute(StartGroupRestore(rule=rule, members=(member,)))
        lab.tick()
    assert set(lab.ended().values()) == {TaskState.COMPLETED}
    assert lab.host.names == ["web"]
    assert protected(lab) == {lab.host.named("web")}


def test_a_group_is_refused_as_a_whole(lab: RuleLab) -> None:
    web, db, other = (lab.host.add_vm(name) for name in ("web", "db", "other"))
    rule = lab.rule(web, db)
    lab.rule(other, name="other", target_path="vm/other")
    lab.at(local(12))
    good, foreign = newest(lab, web), newest(lab, other)
    for members, error in (
        ((good, foreign), VmNotInRule),
        ((good, GroupMember(vm=db, point=good.point)), PointNotOfVm),
        ((good, good), RequestRefused),
        ((), RequestRefused),
    ):
        with pytest.raises(error):
            lab.engine.execute(StartGroupRestore(rule=rule, members=members))
    assert len(lab.tasks()) == 3


def test_a_backup_waits_for_the_restore_over_its_vm(lab: RuleLab) -> None:
    web = filled_vm(lab, name="web")
    rule = lab.rule(web)
    lab.at(local(12))
    member = newest(lab, web)
    lab.engine.execute(StartGroupRestore(rule=rule, members=(member,)))
    lab.tick()
    again = GroupMember(vm=lab.host.named("web"), point=member.point)
    (task,) = lab.engine.execute(StartGroupRestore(rule=rule, members=(again,)))
    record = lab.catalog.tasks.get(task)
    assert record is not None
    assert record.vm == again.vm, "it is the VM of today that it works on"
    lab.tick()


def test_a_crash_between_the_swap_and_its_end_does_not_lose_the_rules_vm(tmp_path: Path) -> None:
    with RuleLab(tmp_path) as lab:
        host = lab.host
        web = filled_vm(lab, name="web")
        rule = lab.rule(web)
        lab.at(local(12))
        member = newest(lab, web)
        lab.catalog.rules.succeed_all = _forget  # type: ignore[method-assign,assignment]
        lab.catalog.restore_journal.closed = lambda task: None  # type: ignore[method-assign]
        lab.engine.execute(StartGroupRestore(rule=rule, members=(member,)))
        lab.tick()
    with RuleLab(tmp_path, host=host, start=local(13)) as lab:
        lab.tick()
        assert protected(lab) == {host.named("web")}


def _forget(*_: object) -> dict[VmId, RuleId]:
    """Stands for the process that died before the catalog was told."""
    return {}


def test_a_group_with_a_vm_that_cannot_be_created_is_refused_before_anything_starts(
    lab: RuleLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    web, db = (lab.host.add_vm(name) for name in ("web", "db"))
    rule = lab.rule(web, db)
    lab.at(local(12))
    members = (newest(lab, web), newest(lab, db))
    before = len(lab.tasks())

    def plan(_: LocalSession, saved: SavedConfiguration, placement: VmPlacement) -> PlannedVm:
        if b'"db"' in saved.files["config.json"]:
            raise VmCreationFailed(vm=placement.name, detail="choose a host with ESXi 8.0 or newer.")
        return PlannedVm(datacenter="", folder=(), host="esx", datastore="ds", name_taken=False)

    monkeypatch.setattr(LocalSession, "plan_vm", plan, raising=False)
    with pytest.raises(VmCreationFailed, match=r"ESXi 8\.0"):
        lab.engine.execute(StartGroupRestore(rule=rule, members=members))
    assert len(lab.tasks()) == before
    assert (lab.host.named("web"), lab.host.named("db")) == (web, db)


def test_a_group_with_a_disk_that_no_point_holds_is_refused_before_anything_starts(lab: RuleLab) -> None:
    web, db = filled_vm(lab, name="web"), filled_vm(lab, name="db", disks=2)
    lab.host.vm(db).disks[2001].unsupported_reason = "its mode is independent_persistent"
    rule = lab.rule(web, db)
    lab.at(local(12))
    before, sessions = lab.ended(), len(lab.factory.sessions)
    with pytest.raises(DisksNotHeld, match="Hard disk 2"):
        lab.engine.execute(StartGroupRestore(rule=rule, members=(newest(lab, web), newest(lab, db))))
    assert len(lab.factory.sessions) == sessions + 1, "one session looks at all members"
    lab.tick()
    assert lab.ended() == before, "the VM whose disks are all held is not restored either"
    assert {lab.host.named("web"), lab.host.named("db")} == {web, db}
