"""Moving to another workstation, from an empty home: take over what a lost one left, import what it exported."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from app.cli.demo.comparison import compare_files
from app.cli.demo.stage import Stage, open_host, open_simulator, registration_of
from app.contract.moving import (
    ExportConfiguration,
    FoundConsole,
    ImportConfiguration,
    InspectTakeOver,
    PlanImport,
    TakeOver,
    TakeOverReport,
)
from app.contract.platforms import DescribeVm
from app.contract.points import DeletePoint, ListPoints
from app.contract.restore import NewVm, StartRestore
from app.contract.rules import CreateRule, DescribeRule, ListRules, Periodic, RuleDraft, RunNow, VmChoice
from app.contract.standbys import ListStandbys, RegisterStandby, StartGarbageCollection
from app.contract.tasks import TaskReport
from app.domain.moving import ItemState
from app.domain.states import BackupKind, TaskState
from app.domain.vms import VmPlacement
from app.engine.engine import Engine
from app.engine.moving.errors import PlatformsMissing, TakeOverNotConfirmed
from app.repository.errors import RulesTakenOver
from app.simulator.server import VSphereSimulator
from tests.support.rule_lab import daily, periodic
from tests.support.stage import Made, explain, finished, known_point, small_spec, vm_named

SECRET = "only for tests"
PASSPHRASE = "otter lamp crane seventeen"
RULE = "nightly"
POLICY = periodic(daily("03:30", "21:15"))


class Site:
    """A simulated vSphere and a standby path that outlive the workstations."""

    def __init__(self, root: Path, simulator: VSphereSimulator) -> None:
        self.root = root
        self.simulator = simulator
        self.standby_root = root / "standby"

    @contextmanager
    def workstation(self, name: str) -> Iterator[Engine]:
        """Start the engine of a workstation whose home is in a folder of this name."""
        with open_host(self.root / name, SECRET) as host:
            yield host.engine

    def stage(self, engine: Engine) -> Stage:
        """Return what the short ways of other tests need."""
        (standby,) = engine.ask(ListStandbys())
        platform = engine.execute(registration_of(self.simulator, "vCenter"))
        return Stage(
            root=self.root, simulator=self.simulator, engine=engine, platform=platform.id, standby=standby.id
        )

    def lose(self, name: str) -> None:
        """Delete the home of a workstation."""
        shutil.rmtree(self.root / name)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path, stack.enter_context(open_simulator(tmp_path, small_spec())))


def protect(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    stage.engine.execute(
        CreateRule(
            draft=RuleDraft(
                name=RULE,
                platform=stage.platform,
                standby=stage.standby,
                target_path="vm",
                vms=(VmChoice(vm=vm.id, name=vm.name),),
                policy=POLICY,
            )
        )
    )


def run_rule(stage: Stage, kind: BackupKind = BackupKind.FULL) -> TaskReport:
    (rule,) = stage.engine.ask(ListRules())
    (task,) = stage.engine.execute(RunNow(rule=rule.id, kind=kind))
    return finished(stage.engine, task)


def backed_up(stage: Stage, kind: BackupKind = BackupKind.FULL) -> Made:
    report = run_rule(stage, kind)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    return Made(report.task.id, known_point(stage, report))


def lost_workstation(site: Site, *, passphrase: str | None = None) -> Made:
    """Back a VM up by a rule, then lose everything but the platform and the standby; its home stays aside."""
    with site.workstation("old") as engine:
        standby = RegisterStandby(name="nas", root_path=str(site.standby_root), passphrase=passphrase)
        engine.execute(standby)
        stage = site.stage(engine)
        protect(stage)
        made = backed_up(stage)
    (site.root / "old").rename(site.root / "aside")
    return made


def found_console(stage: Stage) -> FoundConsole:
    (console,) = stage.engine.ask(InspectTakeOver(standby=stage.standby))
    return console


def taken_over(stage: Stage, console: FoundConsole) -> TakeOverReport:
    return stage.engine.execute(
        TakeOver(standby=stage.standby, console=console.console, confirmation=console.host)
    )


def restore_and_compare(site: Site, stage: Stage, made: Made) -> None:
    """Restore a point as a new VM; each disk has to be what the snapshot of its backup froze."""
    vm = vm_named(stage, "web-01")
    point = next(
        known for known in stage.engine.ask(ListPoints(standby=stage.standby)) if known.point.id == made.point.id
    )
    task = stage.engine.execute(
        StartRestore(
            standby=stage.standby,
            target_path=point.target_path,
            point=made.point.id,
            platform=stage.platform,
            target=NewVm(placement=VmPlacement(name="back")),
        )
    )
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    disks = stage.engine.ask(DescribeVm(platform=stage.platform, vm=vm_named(stage, "back").id)).disks
    assert len(disks) == len(made.point.disks) == 2
    for disk, backed in zip(disks, made.point.disks, strict=True):
        copy = stage.export_live_disk(disk.path, site.root / f"{backed.key}.raw")
        assert compare_files(stage.frozen_copy(vm.id, made.task, backed.key), copy) is None


def test_a_new_workstation_takes_over_what_a_lost_one_left(site: Site) -> None:
    made = lost_workstation(site)
    with site.workstation("new") as engine:
        engine.execute(RegisterStandby(name="nas again", root_path=str(site.standby_root)))
        (standby,) = engine.ask(ListStandbys())
        (before,) = engine.ask(InspectTakeOver(standby=standby.id))
        assert before.rules[0].platform_name is None
        with pytest.raises(PlatformsMissing):
            engine.execute(TakeOver(standby=standby.id, console=before.console, confirmation=before.host))
        stage = site.stage(engine)

        console = found_console(stage)
        (rule,) = console.rules
        assert (rule.name, rule.vms, rule.points, rule.is_defined) == (RULE, ("web-01",), 1, True)
        assert rule.platform_name == "vCenter"
        with pytest.raises(TakeOverNotConfirmed):
            engine.execute(TakeOver(standby=stage.standby, console=console.console, confirmation="another"))
        assert engine.ask(ListRules()) == ()
        report = taken_over(stage, console)
        assert (report.adopted, report.left, report.points) == ((RULE,), (), 1)

        restore_and_compare(site, stage, made)
        (row,) = engine.ask(ListRules())
        draft = engine.ask(DescribeRule(rule=row.id)).draft
        assert isinstance(draft.policy, Periodic)
        assert draft.policy.policy.plans == POLICY.policy.plans
        after = backed_up(stage, BackupKind.INCREMENTAL)
        assert after.point.chain == made.point.chain
        assert after.point.parent == made.point.id
        assert found_console(stage).taken_by == console.host


@pytest.mark.allows_log("has taken over the rules", "garbage", "taken_over")
def test_the_old_workstation_writes_nothing_after_the_take_over_and_can_take_back(site: Site) -> None:
    made = lost_workstation(site)
    with site.workstation("new") as engine:
        engine.execute(RegisterStandby(name="nas", root_path=str(site.standby_root)))
        stage = site.stage(engine)
        taken_over(stage, found_console(stage))
        newer = backed_up(stage, BackupKind.INCREMENTAL)
    (site.root / "aside").rename(site.root / "old")
    with site.workstation("old") as engine:
        (standby,) = engine.ask(ListStandbys())
        (rule,) = engine.ask(ListRules())
        old = Stage(
            root=site.root, simulator=site.simulator, engine=engine, platform=rule.platform, standby=standby.id
        )
        before = stored_files(site)
        report = run_rule(old)
        assert report.task.error is not None
        assert report.task.error.code == "repository.taken_over"
        with pytest.raises(RulesTakenOver):
            engine.execute(DeletePoint(standby=standby.id, target_path="vm", point=made.point.id))
        collection = finished(engine, engine.execute(StartGarbageCollection(standby=standby.id, target_path="vm")))
        assert collection.task.error is not None
        assert collection.task.error.code == "repository.taken_over"
        assert stored_files(site) == before
        assert {known.point.id for known in engine.ask(ListPoints(standby=standby.id))} == {
            made.point.id,
            newer.point.id,
        }

        other = found_console(old)
        taken_over(old, other)
        assert backed_up(old, BackupKind.INCREMENTAL).point.parent == newer.point.id
    with site.workstation("new") as engine:
        (rule,) = engine.ask(ListRules())
        stage = Stage(
            root=site.root,
            simulator=site.simulator,
            engine=engine,
            platform=rule.platform,
            standby=rule.standby,
        )
        report = run_rule(stage)
        assert report.task.error is not None
        assert report.task.error.code == "repository.taken_over"


def stored_files(site: Site) -> list[str]:
    """Return the points and packs that are at the standby."""
    found = [*site.standby_root.glob("vm/points/*/*"), *site.standby_root.glob("vm/packs/*/*")]
    return sorted(str(path) for path in found)


def test_an_encrypted_standby_is_unlocked_and_taken_over(site: Site) -> None:
    made = lost_workstation(site, passphrase=PASSPHRASE)
    (kept,) = site.standby_root.glob("vm/consoles/*.rules")
    assert b"web-01" not in kept.read_bytes()
    assert RULE.encode() not in kept.read_bytes()
    with site.workstation("new") as engine:
        engine.execute(RegisterStandby(name="nas", root_path=str(site.standby_root), passphrase=PASSPHRASE))
        stage = site.stage(engine)
        assert taken_over(stage, found_console(stage)).adopted == (RULE,)
        restore_and_compare(site, stage, made)


def test_points_without_a_copy_of_their_rules_are_adopted_with_a_schedule(site: Site) -> None:
    lost_workstation(site)
    shutil.rmtree(site.standby_root / "vm" / "consoles")
    with site.workstation("new") as engine:
        engine.execute(RegisterStandby(name="nas", root_path=str(site.standby_root)))
        stage = site.stage(engine)
        console = found_console(stage)
        assert (console.console, [rule.name for rule in console.rules]) == ("", [RULE])
        assert not console.rules[0].is_defined
        report = engine.execute(
            TakeOver(standby=stage.standby, console="", confirmation="nas", daily_at="22:30", keep_days=14)
        )
        assert report.adopted == (RULE,)
        (row,) = engine.ask(ListRules())
        policy = engine.ask(DescribeRule(rule=row.id)).draft.policy
        assert isinstance(policy, Periodic)
        assert policy.policy.plans == (daily("22:30"),)
        assert policy.policy.retention.period == 14
        assert engine.ask(InspectTakeOver(standby=stage.standby)) == ()
        backed_up(stage, BackupKind.INCREMENTAL)


def test_an_exported_configuration_works_from_an_empty_home(site: Site) -> None:
    with site.workstation("old") as engine:
        engine.execute(RegisterStandby(name="nas", root_path=str(site.standby_root), passphrase=PASSPHRASE))
        stage = site.stage(engine)
        protect(stage)
        made = backed_up(stage)
        exported = engine.execute(ExportConfiguration(passphrase=PASSPHRASE))
        before = engine.ask(DescribeRule(rule=engine.ask(ListRules())[0].id)).draft
    assert site.simulator.password.encode() not in exported.content
    site.lose("old")
    with site.workstation("new") as engine:
        plan = engine.ask(PlanImport(content=exported.content, passphrase=PASSPHRASE))
        states = [item.state for item in plan.items]
        assert states.count(ItemState.NEW) == 3
        report = engine.execute(ImportConfiguration(content=exported.content, passphrase=PASSPHRASE))
        assert (report.added, report.without_password) == (3, ())
        assert engine.wait_until_idle(60)
        (rule,) = engine.ask(ListRules())
        assert engine.ask(DescribeRule(rule=rule.id)).draft == before
        stage = Stage(
            root=site.root,
            simulator=site.simulator,
            engine=engine,
            platform=rule.platform,
            standby=rule.standby,
        )
        restore_and_compare(site, stage, made)
        assert backed_up(stage, BackupKind.INCREMENTAL).point.parent == made.point.id
        again = engine.ask(PlanImport(content=exported.content, passphrase=PASSPHRASE))
        assert {item.state for item in again.items} == {ItemState.SAME}


@pytest.mark.allows_log("has taken over the rules")
def test_a_console_takes_back_from_one_that_left_no_copy_of_its_rules(site: Site) -> None:
    lost_workstation(site)
    consoles = site.standby_root / "vm" / "consoles"
    old_copies = set(consoles.glob("*.rules"))
    with site.workstation("new") as engine:
        engine.execute(RegisterStandby(name="nas", root_path=str(site.standby_root)))
        stage = site.stage(engine)
        taken_over(stage, found_console(stage))
        backed_up(stage, BackupKind.INCREMENTAL)
    for copy in set(consoles.glob("*.rules")) - old_copies:
        copy.unlink()
    (site.root / "aside").rename(site.root / "old")
    with site.workstation("old") as engine:
        (standby,) = engine.ask(ListStandbys())
        (rule,) = engine.ask(ListRules())
        old = Stage(
            root=site.root, simulator=site.simulator, engine=engine, platform=rule.platform, standby=standby.id
        )
        other = found_console(old)
        assert other.rules == ()
        taken_over(old, other)
        backed_up(old, BackupKind.INCREMENTAL)
