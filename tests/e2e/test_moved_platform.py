"""A vCenter that is renamed keeps its chains, and two behind one address never share any."""

from pathlib import Path

from app.cli.demo.stage import Stage, registration_of
from app.contract.platforms import ListVms, UpdatePlatform
from app.contract.restore import FindOriginals
from app.contract.tasks import StartBackup
from app.domain.identity import Verdict
from app.domain.ids import PlatformId
from app.domain.restore_point import RestorePoint
from app.domain.states import BackupKind, TaskState
from app.simulator.server import VSphereSimulator
from app.simulator.spec import SimulatorSpec
from tests.support.stage import (
    MIB,
    RULE,
    Made,
    assert_points_are_exact,
    back_up,
    explain,
    finished,
    known_point,
    small_spec,
    vm_named,
)


def test_the_chain_goes_on_under_the_new_name_of_a_vcenter(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    first = back_up(stage, vm, BackupKind.FULL)
    stage.engine.execute(
        UpdatePlatform(
            platform=stage.platform,
            name="renamed",
            address="localhost",
            user=stage.simulator.user,
            thumbprint_sha256=stage.simulator.thumbprint_sha256,
        )
    )
    stage.simulator.world.guests.write_now(vm.id, MIB)
    second = back_up(stage, vm, BackupKind.INCREMENTAL)
    assert (second.point.chain, second.point.parent) == (first.point.chain, first.point.id)
    assert second.point.facts.platform_address == "localhost"
    assert 0 < second.point.read_bytes < first.point.read_bytes
    assert_points_are_exact(stage, vm.id, [first, second])
    (row,) = stage.engine.ask(FindOriginals(standby=stage.standby, points=(first.point.id,)))
    assert (row.platform, row.verdict, row.is_proven) == (stage.platform, Verdict.SAME, True)


def test_two_vcenters_behind_one_address_have_chains_of_their_own(stage: Stage, tmp_path: Path) -> None:
    vm = vm_named(stage, "web-01")
    spec = SimulatorSpec(vms=small_spec().vms, seed=2)
    with VSphereSimulator(spec, tmp_path / "second") as second:
        registered = stage.engine.execute(registration_of(second, "second"))
        [stranger] = stage.engine.ask(ListVms(platform=registered.id))
        assert (stranger.id, stranger.name) == (vm.id, vm.name)
        mine = back_up(stage, vm, BackupKind.FULL)
        other = backed_up(stage, registered.id)
        again = back_up(stage, vm, BackupKind.INCREMENTAL)
        assert mine.point.chain == again.point.chain != other.chain
        assert again.point.parent == mine.point.id
        assert_points_are_exact(stage, vm.id, [mine, again])
        (row,) = stage.engine.ask(FindOriginals(standby=stage.standby, points=(other.id,)))
        assert (row.platform, row.verdict, row.is_proven) == (registered.id, Verdict.SAME, True)
        (row,) = stage.engine.ask(
            FindOriginals(standby=stage.standby, points=(other.id,), platform=stage.platform)
        )
        assert (row.is_proven, row.choices) == (False, ())


def backed_up(stage: Stage, platform: PlatformId) -> RestorePoint:
    """Back up the VM of another platform in the same rule, and return the point."""
    [vm] = stage.engine.ask(ListVms(platform=platform))
    task = stage.engine.execute(
        StartBackup(
            platform=platform,
            vm=vm.id,
            vm_name=vm.name,
            standby=stage.standby,
            rule_name=RULE,
            kind=BackupKind.INCREMENTAL,
            host=vm.host,
        )
    )
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    return Made(report.task.id, known_point(stage, report)).point
