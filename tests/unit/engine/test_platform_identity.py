"""A platform is the same under every address, and another one at the same address never is."""

from pathlib import Path

import pytest

from app.contract.platforms import ListPlatforms, ProbePlatform, RegisterPlatform, UpdatePlatform
from app.contract.points import ListPoints, ListRecoverableVms
from app.contract.restore import FindOriginals, OriginalRow, OverOriginal, StartRestore
from app.domain.identity import Verdict
from app.domain.ids import PlatformId
from app.domain.platforms import Platform, PlatformIdentity, PlatformKind
from app.domain.restore_point import RestorePoint
from app.domain.rules import ProtectedVm
from app.domain.states import BackupKind, TaskState
from app.engine.backup.chains import Chains
from app.engine.errors import AlreadyRegistered, OtherPlatform, PlatformUnproven
from tests.support.engine_lab import EngineLab, filled_vm, text_of
from tests.support.local_host import LocalHost
from tests.support.local_hypervisor import PASSWORD
from tests.support.moved_vms import twin_of

MOVED_TO = "vc-new.test"


def update(lab: EngineLab, address: str, port: int | None = None, *, is_confirmed_same: bool = False) -> Platform:
    [known] = [platform for platform in lab.engine.ask(ListPlatforms()) if platform.id == lab.platform]
    return lab.engine.execute(
        UpdatePlatform(
            platform=known.id,
            name=known.name,
            user=known.user,
            thumbprint_sha256=known.thumbprint_sha256,
            address=address,
            port=port,
            is_confirmed_same=is_confirmed_same,
        )
    )


def original_on(lab: EngineLab, point: RestorePoint, platform: PlatformId | None = None) -> OriginalRow:
    (row,) = lab.engine.ask(FindOriginals(standby=lab.standby, points=(point.id,), platform=platform))
    return row


def old_point(lab: EngineLab) -> RestorePoint:
    """Make a point as an earlier version kept it: with no UUID of the VM, and none of the platform."""
    web = filled_vm(lab)
    uuid, lab.host.vm(web).instance_uuid = lab.host.vm(web).instance_uuid, ""
    lab.host.platform_uuid = None
    point = lab.backup(web)
    lab.host.vm(web).instance_uuid, lab.host.platform_uuid = uuid, "vcenter-1"
    lab.engine.ask(ProbePlatform(platform=lab.platform))
    assert not point.facts.instance_uuid
    assert point.facts.platform_uuid is None
    return point


def register_twin(lab: EngineLab, tmp_path: Path, uuid: str = "vcenter-2") -> tuple[LocalHost, PlatformId]:
    """Register a second platform behind the first one's address: a copy of it, with the same VMs and disks."""
    twin = twin_of(lab.host, tmp_path / "twin")
    twin.platform_uuid = uuid
    lab.factory.at_port[lab.host.address, 8443] = twin
    registered = lab.engine.execute(
        RegisterPlatform(name="twin", address=lab.host.address, port=8443, user="root", password=PASSWORD)
    )
    return twin, registered.id


# --- the same platform under another address -----------------------------------------------------------------


@pytest.mark.parametrize("uuid", ["vcenter-1", None], ids=["known", "unknown"])
def test_chains_go_on_after_a_platform_has_moved(lab: EngineLab, uuid: str | None) -> None:
    lab.host.platform_uuid = uuid
    web = filled_vm(lab)
    first = lab.backup(web, BackupKind.FULL)
    lab.factory.hosts = {MOVED_TO: lab.host}
    moved = update(lab, MOVED_TO, 8443, is_confirmed_same=uuid is None)
    assert (moved.address, moved.port, moved.former_addresses) == (MOVED_TO, 8443, (lab.host.address,))
    second = lab.backup(web, BackupKind.INCREMENTAL)
    assert (second.chain, second.parent) == (first.chain, first.id)
    assert second.facts.platform_address == MOVED_TO
    (tally,) = lab.engine.ask(ListRecoverableVms())
    assert (tally.count, tally.origin, tally.platform_address) == (2, lab.platform, MOVED_TO)
    known = lab.engine.ask(ListPoints(origin=lab.platform))
    assert {row.point.id for row in known} == {first.id, second.id}
    assert {row.platform for row in known} == {lab.platform}
    row = original_on(lab, first)
    assert (row.platform, row.verdict, row.is_proven) == (lab.platform, Verdict.SAME, True)


def test_at_a_new_address_another_platform_is_refused(lab: EngineLab, tmp_path: Path) -> None:
    lab.host.platform_uuid = "vcenter-1"
    lab.engine.ask(ProbePlatform(platform=lab.platform))
    other = LocalHost(tmp_path / "other")
    other.platform_uuid = "vcenter-2"
    lab.factory.hosts[MOVED_TO] = other
    before = lab.engine.ask(ListPlatforms())
    for is_confirmed_same in (False, True):
        with pytest.raises(OtherPlatform, match=MOVED_TO):
            update(lab, MOVED_TO, is_confirmed_same=is_confirmed_same)
    assert lab.engine.ask(ListPlatforms()) == before


@pytest.mark.parametrize(("before", "now"), [(None, "vcenter-1"), ("vcenter-1", None), (None, None)])
def test_what_cannot_be_told_is_asked(lab: EngineLab, before: str | None, now: str | None) -> None:
    lab.host.platform_uuid = before
    lab.engine.ask(ProbePlatform(platform=lab.platform))
    lab.host.platform_uuid = now
    lab.factory.hosts[MOVED_TO] = lab.host
    with pytest.raises(PlatformUnproven):
        update(lab, MOVED_TO)
    assert update(lab, MOVED_TO, is_confirmed_same=True).address == MOVED_TO


def test_nothing_is_asked_when_a_platform_stays_where_it_is(lab: EngineLab) -> None:
    lab.host.platform_uuid = None
    assert update(lab, lab.host.address).former_addresses == ()


def test_a_platform_that_moves_back_was_elsewhere_only(lab: EngineLab) -> None:
    lab.host.platform_uuid = "vcenter-1"
    lab.engine.ask(ProbePlatform(platform=lab.platform))
    lab.factory.hosts[MOVED_TO] = lab.host
    update(lab, MOVED_TO)
    assert update(lab, lab.host.address).former_addresses == (MOVED_TO,)


def test_a_vcenter_that_is_registered_under_another_address_is_not_registered_twice(lab: EngineLab) -> None:
    lab.host.platform_uuid = "vcenter-1"
    lab.host.platform_kind = PlatformKind.VCENTER
    lab.engine.ask(ProbePlatform(platform=lab.platform))
    lab.factory.hosts[MOVED_TO] = lab.host
    again = RegisterPlatform(name="again", address=MOVED_TO, user="root", password=PASSWORD)
    with pytest.raises(AlreadyRegistered, match=MOVED_TO):
        lab.engine.execute(again)
    lab.host.platform_kind = PlatformKind.ESXI  # copied firmware gives two hosts one UUID
    lab.engine.execute(again)


# --- two platforms behind one address ------------------------------------------------------------------------


def test_a_stranger_behind_the_same_address_is_never_taken_for_the_original(
    lab: EngineLab, tmp_path: Path
) -> None:
    """It has the id, the name and the disks of the VM; a point of an earlier version has nothing else to go by."""
    point = old_point(lab)
    web = point.facts.vm
    assert original_on(lab, point).is_proven
    twin, second = register_twin(lab, tmp_path)
    content = twin.content(web, 2000)
    row = original_on(lab, point, second)
    assert (row.verdict, row.is_proven) == (Verdict.UNSURE, False)
    assert original_on(lab, point).platform is None
    assert [known.platform for known in lab.engine.ask(ListPoints(standby=lab.standby))] == [None]
    report = lab.finished(
        lab.engine.execute(
            StartRestore(standby=lab.standby, point=point.id, platform=second, target=OverOriginal())
        )
    )
    assert report.task.state is TaskState.FAILED, text_of(report)
    assert report.task.error is not None
    assert report.task.error.code == "restore.original_unsure"
    assert twin.content(web, 2000) == content


def test_a_point_with_the_uuid_of_its_platform_is_known_among_several(lab: EngineLab, tmp_path: Path) -> None:
    lab.host.platform_uuid = "vcenter-1"
    point = lab.backup(filled_vm(lab))
    _, second = register_twin(lab, tmp_path)
    row = original_on(lab, point)
    assert (row.platform, row.verdict, row.is_proven) == (lab.platform, Verdict.SAME, True)
    assert not original_on(lab, point, second).is_proven
    assert not lab.engine.ask(ListPoints(origin=second))


def test_the_points_of_two_platforms_behind_one_address_never_share_a_chain(
    lab: EngineLab, tmp_path: Path
) -> None:
    lab.host.platform_uuid = "vcenter-1"
    web = filled_vm(lab)
    point = lab.backup(web)
    _, second = register_twin(lab, tmp_path)
    facts = point.facts
    vm = ProtectedVm(vm=web, name=facts.name, instance_uuid=facts.instance_uuid)
    here = PlatformIdentity(address=lab.host.address, instance_uuid="vcenter-2", shares_address=True)
    with lab.repository() as repository:
        chains = Chains(
            repository=repository,
            points=lab.catalog.points,
            standby=lab.standby,
            target_path="",
            platform=second,
            here=here,
        )
        chain, points = chains.choose("nightly", vm)
        assert (chain != point.chain, tuple(points)) == (True, ())
        assert chains.newest_first("nightly", web) == ()


# --- points of earlier versions ------------------------------------------------------------------------------


def test_old_points_are_matched_as_soon_as_it_is_known_whose_they_are(lab: EngineLab, tmp_path: Path) -> None:
    old = old_point(lab)

    def origin() -> PlatformId | None:
        (known,) = lab.engine.ask(ListPoints(standby=lab.standby))
        assert known.point.id == old.id
        return known.platform

    assert origin() == lab.platform
    _, second = register_twin(lab, tmp_path)
    assert origin() is None, "two platforms are at its address"
    lab.catalog.platforms.remove(second)
    assert origin() == lab.platform
    lab.catalog.platforms.remove(lab.platform)
    assert origin() is None


def test_a_point_keeps_its_place_when_its_platform_is_taken_off_the_list_and_registered_again(
    lab: EngineLab,
) -> None:
    lab.host.platform_uuid = "vcenter-1"
    lab.backup(filled_vm(lab))
    lab.catalog.platforms.remove(lab.platform)
    (tally,) = lab.engine.ask(ListRecoverableVms())
    assert tally.origin == "uuid:vcenter-1"
    lab.factory.hosts[MOVED_TO] = lab.host
    again = lab.engine.execute(RegisterPlatform(name="again", address=MOVED_TO, user="root", password=PASSWORD))
    (tally,) = lab.engine.ask(ListRecoverableVms())
    assert (tally.origin, tally.count) == (again.id, 1)
